package dev.kindling.worker.evaluate;

import dev.kindling.kernels.backend.Backend;
import dev.kindling.worker.generate.LoadedModel;
import dev.kindling.worker.store.StorageLocation;
import java.nio.charset.StandardCharsets;
import java.util.Optional;

/**
 * What a model makes of single texts. A text is read as {@link TextEvaluation} reads a document, a
 * continuation as {@link ChoiceEvaluation} reads a choice; each alone, so that a result depends on
 * its text and the model only. For one thread.
 */
public final class TextScorer implements AutoCloseable {
  private final LoadedModel<Scorer> model;

  TextScorer(LoadedModel<Scorer> model) {
    this.model = model;
  }

  /**
   * Loads a run folder (its newest valid checkpoint) or a Hugging Face model directory.
   *
   * @param context tokens that the model sees at once; default as {@link LoadedModel#open}
   * @param backend stays open as long as this scorer
   * @throws dev.kindling.worker.checkpoint.CheckpointException if there are no weights, or they are
   *     not the model's
   */
  public static TextScorer open(
      StorageLocation folder, Optional<Integer> context, Backend backend) {
    return new TextScorer(
        LoadedModel.open(
            folder, context, line -> {}, (family, tokens) -> new Scorer(family, tokens, backend)));
  }

  /** Loss of a text behind a document separator; of an empty one {@link Loss#NONE}. */
  public Loss text(String text) {
    return windows(model.tokenizer().separator(), encode(text));
  }

  /**
   * Loss of a continuation, given its prompt, of which only the end is read if both together are
   * longer than the context; of an empty one {@link Loss#NONE}. One that is longer than the context
   * itself is read as a document is, behind the last token of the prompt.
   *
   * @param prompt an empty one is a document separator
   */
  public Loss continuation(String prompt, String continuation) {
    int[] ids = encode(continuation);
    int[] encoded = encode(prompt);
    int[] before = encoded.length == 0 ? new int[] {model.tokenizer().separator()} : encoded;
    if (ids.length == 0 || ids.length > model.programs().context()) {
      return windows(before[before.length - 1], ids);
    }
    return model.programs().continuation(before, ids);
  }

  private Loss windows(int before, int[] ids) {
    int[] stream = new int[ids.length + 1];
    stream[0] = before;
    System.arraycopy(ids, 0, stream, 1, ids.length);
    Loss loss = Loss.NONE;
    for (int at = 0; at + 1 < stream.length; at += model.programs().context()) {
      loss = loss.plus(model.programs().window(stream, at));
    }
    return loss;
  }

  private int[] encode(String text) {
    return model.tokenizer().encode(text.getBytes(StandardCharsets.UTF_8));
  }

  @Override
  public void close() {
    model.close();
  }
}
