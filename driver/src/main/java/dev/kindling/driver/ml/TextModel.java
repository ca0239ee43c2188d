package dev.kindling.driver.ml;

import dev.kindling.kernels.backend.Backend;
import dev.kindling.kernels.backend.CpuOptions;
import dev.kindling.kernels.backend.MatmulKind;
import dev.kindling.worker.evaluate.Loss;
import dev.kindling.worker.evaluate.TextScorer;
import dev.kindling.worker.generate.TextGenerator;
import dev.kindling.worker.store.StorageLocation;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** A loaded model at work on rows. */
interface TextModel extends AutoCloseable {
  /**
   * One result for each text, in their order; null where there is no token to score.
   *
   * @param request with the key that the model was loaded for
   */
  List<@Nullable Object> results(ModelRequest request, List<PromptedText> texts);

  @Override
  void close();

  /**
   * Loads one.
   *
   * @throws dev.kindling.worker.checkpoint.CheckpointException if there are no weights, or they are
   *     not the model's
   */
  static TextModel open(ModelRequest.Key key) {
    Backend backend = Backend.cpu(new CpuOptions(key.threads(), MatmulKind.OPENBLAS));
    try {
      StorageLocation folder = StorageLocation.of(key.path());
      return key.sequences() > 0
          ? new Generating(TextGenerator.open(folder, key.sequences(), backend), backend)
          : new Scoring(TextScorer.open(folder, backend), backend);
    } catch (RuntimeException | Error failed) {
      backend.close();
      throw failed;
    }
  }

  /** Goes on with texts. */
  record Generating(TextGenerator generator, Backend backend) implements TextModel {
    @Override
    public synchronized List<@Nullable Object> results(
        ModelRequest request, List<PromptedText> texts) {
      List<String> prompts = texts.stream().map(PromptedText::text).toList();
      return new ArrayList<>(generator.generate(prompts, request.tokens(), request.sampling()));
    }

    @Override
    public void close() {
      generator.close();
      backend.close();
    }
  }

  /** Says how likely texts are. */
  record Scoring(TextScorer scorer, Backend backend) implements TextModel {
    @Override
    public synchronized List<@Nullable Object> results(
        ModelRequest request, List<PromptedText> texts) {
      List<@Nullable Object> results = new ArrayList<>();
      for (PromptedText text : texts) {
        Loss loss =
            text.prompted()
                ? scorer.continuation(text.prompt(), text.text())
                : scorer.text(text.text());
        double mean = loss.mean();
        results.add(
            loss.tokens() == 0 ? null : request.task() == TextTask.SCORE ? -mean : Math.exp(mean));
      }
      return results;
    }

    @Override
    public void close() {
      scorer.close();
      backend.close();
    }
  }
}
