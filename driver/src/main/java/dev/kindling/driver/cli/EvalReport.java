package dev.kindling.driver.cli;

import dev.kindling.driver.launch.ModelPlace;
import dev.kindling.driver.launch.PlacedModel;
import dev.kindling.kernels.backend.Backend;
import dev.kindling.worker.data.DataException;
import dev.kindling.worker.evaluate.ChoiceEvaluation;
import dev.kindling.worker.evaluate.ChoiceScore;
import dev.kindling.worker.evaluate.Loss;
import dev.kindling.worker.evaluate.Scorer;
import dev.kindling.worker.evaluate.TextEvaluation;
import dev.kindling.worker.evaluate.TextLoss;
import dev.kindling.worker.generate.LoadedModel;
import dev.kindling.worker.store.Json;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;

/**
 * One line of figures for each file, and the same as JSON. Progress and notices go to the other
 * stream, so that the figures can be piped.
 */
final class EvalReport {
  private static final long PROGRESS_NANOS = TimeUnit.SECONDS.toNanos(2);

  private final EvalRequest request;
  private final PrintWriter out;
  private final PrintWriter err;
  private final Json.Building figures = Json.object();
  private long shown = System.nanoTime();

  EvalReport(EvalRequest request, PrintWriter out, PrintWriter err) {
    this.request = request;
    this.out = out;
    this.err = err;
  }

  void run() {
    ModelSource source = request.model();
    try (PlacedModel<LoadedModel<Scorer>> placed =
        PlacedModel.open(ModelPlace.here(source.device()), this::notice, this::load)) {
      LoadedModel<Scorer> model = placed.model();
      figures.put("model", source.path()).put("step", model.step());
      figures.put("context", model.programs().context()).put("device", placed.backend().name());
      request.data().ifPresent(path -> texts(model, path));
      request.choices().ifPresent(path -> choices(model, path));
    }
    request.json().ifPresent(this::write);
  }

  private LoadedModel<Scorer> load(Backend backend) {
    ModelSource source = request.model();
    return LoadedModel.open(
        source.folder(),
        source.context(),
        this::notice,
        (family, context) -> new Scorer(family, context, backend));
  }

  private void texts(LoadedModel<Scorer> model, Path data) {
    TextLoss found =
        new TextEvaluation(model.programs(), model.tokenizer(), this::progress)
            .of(data, request.field(), request.badLines(), this::notice);
    Loss loss = found.loss();
    out.printf(
        Locale.ROOT,
        "loss %.4f nats a token, perplexity %.4f, %.4f bits a byte: %d tokens, %d bytes%s of %s (%s)%n",
        loss.mean(),
        found.perplexity(),
        found.bitsPerByte(),
        loss.tokens(),
        found.bytes(),
        skipped(found.skipped()),
        data,
        model.origin());
    figures.put(
        "data",
        Json.object()
            .put("path", data.toString())
            .put("loss", number(loss.mean()))
            .put("perplexity", number(found.perplexity()))
            .put("bits_per_byte", number(found.bitsPerByte()))
            .put("tokens", loss.tokens())
            .put("bytes", found.bytes())
            .put("skipped_lines", found.skipped())
            .build());
  }

  private void choices(LoadedModel<Scorer> model, Path file) {
    ChoiceScore score =
        new ChoiceEvaluation(model.programs(), model.tokenizer(), this::progress)
            .of(file, request.badLines(), this::notice);
    out.printf(
        Locale.ROOT,
        "accuracy %.4f by mean (%d of %d), %.4f by sum (%d of %d)%s: %s (%s)%n",
        score.accuracyByMean(),
        score.rightByMean(),
        score.questions(),
        score.accuracyBySum(),
        score.rightBySum(),
        score.questions(),
        skipped(score.skipped()),
        file,
        model.origin());
    figures.put(
        "choices",
        Json.object()
            .put("path", file.toString())
            .put("questions", score.questions())
            .put("accuracy_by_mean", number(score.accuracyByMean()))
            .put("right_by_mean", score.rightByMean())
            .put("accuracy_by_sum", number(score.accuracyBySum()))
            .put("right_by_sum", score.rightBySum())
            .put("skipped_lines", score.skipped())
            .build());
  }

  private static String skipped(long lines) {
    return lines == 0 ? "" : ", " + lines + (lines == 1 ? " line" : " lines") + " skipped";
  }

  /** As many digits as give the same bits again; what is no number is a text. */
  private static Json number(double value) {
    String text = Double.toString(value);
    return Double.isFinite(value) ? new Json.Num(text, Json.NOWHERE) : Json.of(text);
  }

  private void progress(Loss loss) {
    progress(() -> String.format(Locale.ROOT, "%d tokens, loss %.4f", loss.tokens(), loss.mean()));
  }

  private void progress(ChoiceScore score) {
    progress(
        () ->
            String.format(
                Locale.ROOT,
                "%d questions, accuracy %.4f",
                score.questions(),
                score.accuracyByMean()));
  }

  private void progress(Supplier<String> line) {
    long now = System.nanoTime();
    if (now - shown >= PROGRESS_NANOS) {
      shown = now;
      notice(line.get() + " so far");
    }
  }

  private void notice(String line) {
    err.println("eval: " + line);
    err.flush();
  }

  private void write(Path file) {
    try {
      Files.writeString(file, figures.build().write() + "\n", StandardCharsets.UTF_8);
    } catch (IOException e) {
      throw new DataException(file + ": cannot be written: " + e, e);
    }
  }
}
