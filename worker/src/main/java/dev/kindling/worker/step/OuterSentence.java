package dev.kindling.worker.step;

import dev.kindling.kernels.graph.GraphBuilder;
import dev.kindling.optim.outer.OuterSentences;
import dev.kindling.optim.outer.OuterStep;
import java.util.ArrayList;
import java.util.List;
import java.util.function.BiConsumer;

/** The programs between rounds; {@link OuterSentences} says what each does. */
public enum OuterSentence {
  BEGIN(OuterSentences::begin, false),
  FIRST_STEP(OuterSentences::firstStep, false),
  DEPART(OuterSentences::depart, false),
  ARRIVE(OuterSentences::arrive, true),
  EXCHANGE(OuterSentences::exchange, true),
  SHOW(OuterSentences::show, false),
  SETTLE(OuterSentences::settle, true);

  private final BiConsumer<OuterSentences, GraphBuilder> sentence;
  private final boolean changesWeights;

  OuterSentence(BiConsumer<OuterSentences, GraphBuilder> sentence, boolean changesWeights) {
    this.sentence = sentence;
    this.changesWeights = changesWeights;
  }

  /** Those that a method needs, in order. */
  static List<OuterSentence> of(OuterStep step) {
    List<OuterSentence> needed = new ArrayList<>(List.of(values()));
    if (!step.measures()) {
      needed.remove(FIRST_STEP);
    }
    if (!step.late()) {
      needed.remove(EXCHANGE);
    }
    if (!step.replicasDiffer()) {
      needed.removeAll(List.of(SHOW, SETTLE));
    }
    return List.copyOf(needed);
  }

  void write(OuterSentences sentences, GraphBuilder b) {
    sentence.accept(sentences, b);
  }

  boolean changesWeights() {
    return changesWeights;
  }
}
