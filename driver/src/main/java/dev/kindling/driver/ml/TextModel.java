package dev.kindling.driver.ml;

import dev.kindling.driver.launch.PlacedModel;
import dev.kindling.worker.evaluate.Loss;
import dev.kindling.worker.evaluate.TextScorer;
import dev.kindling.worker.generate.TextGenerator;
import dev.kindling.worker.store.StorageLocation;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** A loaded model at work on rows. */
interface TextModel extends AutoCloseable {
  Logger LOG = LoggerFactory.getLogger(TextModel.class);

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
    StorageLocation folder = StorageLocation.of(key.path());
    Optional<Integer> context = Optional.of(key.context()).filter(tokens -> tokens > 0);
    return key.sequences() > 0
        ? new Generating(
            PlacedModel.open(
                key.place(),
                LOG::info,
                backend ->
                    TextGenerator.open(folder, context, key.sequences(), backend, LOG::info)))
        : new Scoring(
            PlacedModel.open(
                key.place(), LOG::info, backend -> TextScorer.open(folder, context, backend)));
  }

  /** Goes on with texts. */
  record Generating(PlacedModel<TextGenerator> placed) implements TextModel {
    @Override
    public synchronized List<@Nullable Object> results(
        ModelRequest request, List<PromptedText> texts) {
      List<String> prompts = texts.stream().map(PromptedText::text).toList();
      return new ArrayList<>(
          placed.model().generate(prompts, request.tokens(), request.sampling()));
    }

    @Override
    public void close() {
      placed.close();
    }
  }

  /** Says how likely texts are. */
  record Scoring(PlacedModel<TextScorer> placed) implements TextModel {
    @Override
    public synchronized List<@Nullable Object> results(
        ModelRequest request, List<PromptedText> texts) {
      TextScorer scorer = placed.model();
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
      placed.close();
    }
  }
}
