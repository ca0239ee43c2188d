package dev.kindling.driver.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kindling.worker.event.report.MetricsLog;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.io.TempDir;

/** A model directory that a short run made, and whole commands on it. */
abstract class SmallModelCase {
  private static final String REST =
      """
      data: {type: text, paths: ["%s"], validation_fraction: 0.3}
      optimizer: {type: adamw, lr: 1e-2}
      validation: {every_steps: 1, batches: 2}
      steps: 3
      sequence_length: 32
      micro_batch: 64
      global_batch: 64
      threads: 1
      matmul: java
      launcher: threads
      """;

  /** For a run that shall only be validated. */
  static final String STILL = "optimizer.lr=1e-30";

  @TempDir Path folder;
  final StringWriter out = new StringWriter();
  final StringWriter err = new StringWriter();
  Path base = Path.of("");
  Path model = Path.of("");
  Path texts = Path.of("");

  /** The section {@code model} of the run that makes it. */
  abstract String shape();

  @BeforeEach
  void write() throws IOException {
    texts = Files.createDirectory(folder.resolve("texts"));
    for (int file = 0; file < 10; file++) {
      Files.writeString(
          texts.resolve(file + ".txt"), ("line " + file + " of the words in it\n").repeat(60));
    }
    model = folder.resolve("model");
    base = Files.writeString(folder.resolve("base.yaml"), shape() + REST.formatted(texts));
    done("train", base.toString(), "--run-dir", run("base"));
    done("export", run("base"), "--to", model.toString());
  }

  int kindling(String... words) {
    out.getBuffer().setLength(0);
    err.getBuffer().setLength(0);
    return Kindling.execute(
        new Bodies(), new PrintWriter(out, true), new PrintWriter(err, true), words);
  }

  void done(String... words) {
    assertThat(kindling(words)).as("%s\n%s", err, out).isZero();
  }

  String to(String name) {
    return folder.resolve(name).toString();
  }

  String run(String name) {
    return folder.resolve("runs").resolve(name).toString();
  }

  /** A run on the model of a directory. */
  String[] words(String name, Path directory, String... sets) throws IOException {
    String pretrained = "model: {type: huggingface, path: " + directory + "}\n";
    Path config = folder.resolve(name + ".yaml");
    Files.writeString(config, pretrained + REST.formatted(texts));
    List<String> words =
        new ArrayList<>(List.of("train", config.toString(), "--run-dir", run(name)));
    for (String set : sets) {
      words.addAll(List.of("--set", set));
    }
    return words.toArray(String[]::new);
  }

  float validation(String name, long step) throws IOException {
    MetricsLog log = MetricsLog.read(Path.of(run(name), "metrics.jsonl"));
    String text = MetricsLog.text(Objects.requireNonNull(log.validation().get(step)), "val_loss");
    return Float.parseFloat(text);
  }
}
