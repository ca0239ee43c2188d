package dev.kindling.driver.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kindling.worker.event.report.MetricsLog;
import dev.kindling.worker.launch.AttemptFailedException;
import dev.kindling.worker.launch.FailureKind;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class WitnessedRunTest {
  @TempDir Path folder;
  private final List<String> said = new ArrayList<>();

  private WitnessedRun run() {
    return new WitnessedRun(folder, "steps: 3\n", false, Map.of("Java", "17"), said::add);
  }

  private String page() throws IOException {
    return Files.readString(folder.resolve("report.html"));
  }

  @Test
  void aRunThatEndsWellHasAPageThatSaysSo() throws Exception {
    int code =
        run()
            .around(
                witness -> {
                  witness.attemptStarts(1);
                  return 0;
                });
    assertThat(code).isZero();
    assertThat(page()).contains("<span class=\"pill done\">done</span>").contains("steps: 3");
  }

  @Test
  void aFailureIsThrownOnAndOnThePage() throws Exception {
    AttemptFailedException failure =
        new AttemptFailedException(FailureKind.DEVICE, 1, "no memory <left>", null);
    assertThatThrownBy(
            () ->
                run()
                    .around(
                        witness -> {
                          witness.attemptStarts(1);
                          witness.attemptFailed(1, failure, false);
                          throw failure;
                        }))
        .isSameAs(failure);
    assertThat(page())
        .contains("<span class=\"pill failed\">failed</span>")
        .contains("no memory &lt;left&gt;")
        .contains("ended with exit code 5");
  }

  @Test
  void aPageThatCannotBeWrittenIsOneLine() throws Exception {
    Files.createDirectories(folder.resolve("report.html/in/the/way"));
    assertThat(run().around(witness -> 130)).isEqualTo(130);
    assertThat(said).hasSize(1);
    assertThat(said.get(0)).contains("no report.html");
  }

  @Test
  void aRealRunAndItsResumptionLeaveAPageEventFilesAndAHistory() throws Exception {
    Path text = Files.writeString(folder.resolve("text.txt"), "a line of text\n".repeat(2000));
    Path held = Files.writeString(folder.resolve("held.txt"), "another line\n".repeat(200));
    Path config =
        Files.writeString(
            folder.resolve("run.yaml"),
            """
            model: {type: llama, width: 16, layers: 1, heads: 1, context: 32}
            data: {type: text, paths: ["%s"], validation_paths: ["%s"]}
            optimizer: {type: adamw, lr: 1e-3}
            steps: 6
            sequence_length: 32
            micro_batch: 64
            global_batch: 64
            matmul: java
            threads: 1
            validation: {every_steps: 3, batches: 1}
            checkpoint: {every_steps: 3}
            launcher: threads
            """
                .formatted(text, held));
    Path run = folder.resolve("run");
    train("train", config.toString(), "--run-dir", run.toString());
    train("resume", run.toString(), "--set", "steps=9");
    assertThat(MetricsLog.read(run.resolve("metrics.jsonl")).byStep()).hasSize(9);
    try (Stream<Path> events = Files.list(run.resolve("events"))) {
      assertThat(events).hasSize(2);
    }
    assertThat(Files.readString(run.resolve("history.jsonl"))).contains("\"checkpoint\"");
    assertThat(Files.readString(run.resolve("report.html")))
        .contains("9 steps in 2 attempts.")
        .contains("pill done");
  }

  private static void train(String... words) {
    StringWriter err = new StringWriter();
    int code =
        Kindling.execute(
            new Bodies(), new PrintWriter(new StringWriter()), new PrintWriter(err), words);
    assertThat(code).as(err.toString()).isZero();
  }
}
