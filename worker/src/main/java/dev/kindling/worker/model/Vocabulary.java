package dev.kindling.worker.model;

import dev.kindling.kernels.graph.PlanException;
import java.util.Optional;

/** The checks that every family makes before it writes its sentence. */
final class Vocabulary {
  private Vocabulary() {}

  static int rows(Optional<Integer> configured, int tokenizer) {
    int rows = configured.orElse(tokenizer);
    if (rows < tokenizer) {
      throw new PlanException(
          "model.vocabulary: expected at least the "
              + tokenizer
              + " tokens of the tokenizer, found "
              + rows);
    }
    return rows;
  }

  static int known(Optional<Integer> vocabulary) {
    return vocabulary.orElseThrow(
        () -> new PlanException("model.vocabulary: not known yet, ask withVocabulary first"));
  }

  static void checkSequence(int sequence, int context) {
    if (sequence > context) {
      throw new PlanException(
          "sequence_length: expected at most model.context " + context + ", found " + sequence);
    }
  }
}
