package dev.kindling.driver.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.kindling.worker.store.Json;
import dev.kindling.worker.store.JsonReader;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A tiny run, measured and read by the commands. */
class EvalReportTest {
  private static final String CONFIG =
      """
      model: {type: llama, width: 32, layers: 1, heads: 2}
      data: {type: text, paths: ["%s"], validation_paths: ["%s"]}
      optimizer: {type: adamw, lr: 1e-2}
      steps: 12
      sequence_length: 32
      micro_batch: 64
      global_batch: 128
      ranks: 2
      threads: 1
      matmul: java
      launcher: threads
      """;

  @TempDir private Path folder;
  private final StringWriter out = new StringWriter();
  private final StringWriter err = new StringWriter();
  private Path held = Path.of("");
  private String run = "";

  @BeforeEach
  void train() throws IOException {
    Path corpus = folder.resolve("corpus.txt");
    held = folder.resolve("held.txt");
    Files.writeString(corpus, "a text that repeats itself, and that is all.\n".repeat(100));
    Files.writeString(held, "and that is all, a text that repeats itself.\n".repeat(9));
    Path config = Files.writeString(folder.resolve("c.yaml"), CONFIG.formatted(corpus, held));
    run = folder.resolve("runs/r").toString();
    assertThat(kindling("train", config.toString(), "--run-dir", run)).as("%s", err).isZero();
  }

  private int kindling(String... words) {
    out.getBuffer().setLength(0);
    err.getBuffer().setLength(0);
    return Kindling.execute(
        new Bodies(), new PrintWriter(out, true), new PrintWriter(err, true), words);
  }

  private static double number(Json.Obj object, String key) {
    return object.get(key) instanceof Json.Num number
        ? Double.parseDouble(number.text())
        : Double.NaN;
  }

  private static Json.Obj json(Path file) throws IOException {
    return JsonReader.read(Files.readAllBytes(file), file.toString()).asObject("figures");
  }

  /** Fewer sequences are held out than validation may read, so it read each of them once. */
  @Test
  void theLossOfTheHeldOutSideIsThatOfTraining() throws IOException {
    List<String> lines = Files.readAllLines(Path.of(run, "metrics.jsonl"));
    String last = lines.get(lines.size() - 1);
    Json.Obj metrics =
        JsonReader.read(last.getBytes(StandardCharsets.UTF_8), "metrics").asObject("metrics");
    Path prepared;
    try (Stream<Path> sets = Files.list(folder.resolve("runs/prepared"))) {
      prepared = sets.filter(Files::isDirectory).findFirst().orElseThrow();
    }
    Path figures = folder.resolve("figures.json");
    String[] words = {"eval", run, "--data", prepared.toString(), "--json", figures.toString()};
    assertThat(kindling(words)).as("%s", err).isZero();
    Json.Obj data = json(figures).object("data");
    assertThat(number(data, "loss"))
        .isEqualTo(number(metrics, "val_loss"), within(1e-5 * number(metrics, "val_loss")));
    assertThat(number(data, "perplexity")).isEqualTo(Math.exp(number(data, "loss")));
    assertThat(number(data, "tokens")).isEqualTo(384);
    assertThat(out.toString())
        .startsWith("loss ")
        .contains(" nats a token, perplexity ", " bits a byte: 384 tokens", "(step 12 of " + run)
        .hasLineCount(1);
  }

  @Test
  void textsAndQuestionsInOneCall() throws IOException {
    Path questions = folder.resolve("q.jsonl");
    Files.writeString(
        questions,
        """
        {"prompt": "a text that repea", "choices": ["ts its", "zzzzzz"], "answer": 0}
        {"prompt": "a text", "choices": ["only one"], "answer": 0}
        """);
    String[] fail = {"eval", run, "--choices", questions.toString()};
    assertThat(kindling(fail)).isEqualTo(3);
    assertThat(err.toString())
        .contains("q.jsonl:2: byte ", "choices: expected at least 2 texts, found 1")
        .doesNotContain("\tat ");
    Path figures = folder.resolve("figures.json");
    String[] skip = {
      "eval",
      run,
      "--choices",
      questions.toString(),
      "--data",
      held.toString(),
      "--bad-lines",
      "skip",
      "--json",
      figures.toString()
    };
    assertThat(kindling(skip)).as("%s", err).isZero();
    assertThat(err.toString()).startsWith("eval: skipped ").contains("q.jsonl:2: ");
    assertThat(out.toString())
        .contains("405 tokens, 405 bytes of " + held)
        .contains("accuracy 1.0000 by mean (1 of 1), 1.0000 by sum (1 of 1), 1 line skipped: ")
        .hasLineCount(2);
    assertThat(number(json(figures).object("choices"), "skipped_lines")).isEqualTo(1);
    assertThat(number(json(figures), "step")).isEqualTo(12);
  }

  @Test
  void theContextIsTheRunsUnlessAnotherIsAskedFor() throws IOException {
    Path figures = folder.resolve("figures.json");
    String[] words = {"eval", run, "--data", held.toString(), "--json", figures.toString()};
    assertThat(kindling(words)).isZero();
    assertThat(number(json(figures), "context")).isEqualTo(32);
    double usual = number(json(figures).object("data"), "loss");
    assertThat(kindling(with(words, "--context", "8", "--device", "cpu"))).isZero();
    assertThat(number(json(figures), "context")).isEqualTo(8);
    assertThat(number(json(figures).object("data"), "loss")).isNotEqualTo(usual);
    assertThat(json(figures).text("device")).startsWith("cpu/");
    assertThat(err.toString()).isEmpty();
    assertThat(kindling(with(words, "--context", "4096"))).isEqualTo(2);
    assertThat(err.toString()).contains("context: expected 1 to 1024 tokens (the model's), found");
  }

  private static String[] with(String[] words, String... more) {
    return Stream.concat(Stream.of(words), Stream.of(more)).toArray(String[]::new);
  }

  @Test
  void whatCannotBeMeasuredIsNamed() {
    assertThat(kindling("eval", run, "--data", "none.txt")).isEqualTo(3);
    assertThat(err.toString()).contains("none.txt: cannot be read");
    assertThat(kindling("eval", folder.toString(), "--data", held.toString())).isEqualTo(4);
    assertThat(err.toString()).contains("expected a run folder with a checkpoint or a model");
  }

  @Test
  void textIsShownAsItComes() {
    String[] words = {
      "generate", run, "--prompt", "a text that", "--tokens", "30", "--temperature", "0"
    };
    assertThat(kindling(words)).as("%s", err).isZero();
    String first = out.toString();
    assertThat(first).startsWith("a text that");
    assertThat(first.length()).isGreaterThan("a text that\n".length());
    assertThat(kindling(words)).isZero();
    assertThat(out.toString()).isEqualTo(first);
  }
}
