package dev.kindling.driver.compare;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kindling.driver.cli.Bodies;
import dev.kindling.driver.cli.Kindling;
import dev.kindling.worker.ledger.LedgerHeader;
import dev.kindling.worker.ledger.LedgerHistory;
import dev.kindling.worker.ledger.LedgerStep;
import dev.kindling.worker.ledger.LedgerWriter;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class RunDiffTest {
  private static final String CONFIG =
      """
      model: {type: llama, width: 32, layers: 1, heads: 2}
      data: {type: text, paths: ["%s"]}
      optimizer: {type: adamw, lr: 1e-3}
      steps: 4
      sequence_length: 32
      micro_batch: 64
      global_batch: 128
      ranks: 1
      threads: 1
      matmul: java
      checkpoint: {every_steps: 2}
      launcher: threads
      """;

  @TempDir private Path folder;
  private final StringWriter out = new StringWriter();
  private final StringWriter err = new StringWriter();
  private String config = "";

  @BeforeEach
  void write() throws IOException {
    Path corpus = folder.resolve("corpus.txt");
    Files.writeString(
        corpus, "a text that repeats itself, and that is all there is.\n".repeat(100));
    config = Files.writeString(folder.resolve("c.yaml"), CONFIG.formatted(corpus)).toString();
  }

  private int kindling(String... words) {
    out.getBuffer().setLength(0);
    err.getBuffer().setLength(0);
    return Kindling.execute(
        new Bodies(), new PrintWriter(out, true), new PrintWriter(err, true), words);
  }

  private Path train(String name, String... sets) {
    Path run = folder.resolve("runs").resolve(name);
    List<String> words = new ArrayList<>(List.of("train", config, "--run-dir", run.toString()));
    Arrays.stream(sets).forEach(set -> words.addAll(List.of("--set", set)));
    assertThat(kindling(words.toArray(String[]::new))).as(err.toString()).isZero();
    return run;
  }

  private int diff(Path left, Path right) {
    return kindling("diff-runs", left.toString(), right.toString());
  }

  private static void delete(Path tree) throws IOException {
    try (Stream<Path> walk = Files.walk(tree)) {
      for (Path path : walk.sorted(Comparator.reverseOrder()).toList()) {
        Files.delete(path);
      }
    }
  }

  private static Path ledger(Path run) {
    return run.resolve("ledger").resolve("e0000000001-s0000-r00000.log");
  }

  @Test
  void equalRunsOfOneAndTwoRanksDifferNowhere() {
    String[] exact = {"determinism=exact", "logical_shards=2"};
    Path one = train("one", exact);
    Path two = train("two", "determinism=exact", "logical_shards=2", "ranks=2");
    assertThat(diff(one, two)).as(err.toString() + out).isZero();
    assertThat(out.toString().lines())
        .hasSize(3)
        .startsWith("steps 1 to 4: no difference in 4 steps (ledger)")
        .allMatch(line -> line.contains("no difference in "));
  }

  @Test
  void aRunOfTwoAttemptsEqualsOneThatWasNeverInterrupted() throws IOException {
    String schedule = "schedule={type: constant}";
    Path whole = train("whole", schedule, "ranks=2");
    Path parts = train("parts", schedule, "ranks=2", "steps=3");
    assertThat(kindling("resume", parts.toString(), "--set", "steps=4")).as(err + "").isZero();
    assertThat(diff(whole, parts)).as(err.toString() + out).isZero();
    assertThat(out.toString())
        .contains("steps 1 to 4: no difference in 4 steps (ledger)")
        .contains("checkpoints of step 4: no difference in ");
    try (Stream<Path> files = Files.list(parts.resolve("ledger"))) {
      assertThat(files).hasSize(4);
    }
  }

  @Test
  void theFirstStepAndTheFirstTensorAreNamedWithBothValues() throws IOException {
    Path one = train("one");
    Path other = train("other", "optimizer.lr=2e-3");
    assertThat(diff(one, other)).isEqualTo(7);
    String first =
        "first differing step: 2 \\(%s\\): loss [0-9a-f]{8} \\(\\S+\\) and [0-9a-f]{8} .*";
    assertThat(out.toString().lines().toList().get(0)).matches(String.format(first, "ledger"));
    assertThat(out.toString())
        .containsPattern(
            "checkpoints of step 2: \\d+ of \\d+ tensors differ; first: model tensor \\S+, element"
                + " \\d+: [0-9a-f]{8} \\(\\S+\\) and [0-9a-f]{8} \\(\\S+\\)")
        .doesNotContain("step 4");
    delete(one.resolve("ledger"));
    delete(other.resolve("ledger"));
    assertThat(diff(one, other)).isEqualTo(7);
    assertThat(out.toString().lines().toList().get(0))
        .matches(String.format(first, "metrics\\.jsonl"));
  }

  @Test
  void otherSamplesAreADifferenceOfTheFirstStep() {
    assertThat(diff(train("one"), train("other", "seed=2"))).isEqualTo(7);
    assertThat(out.toString())
        .contains("first differing step: 1 (ledger): ")
        .contains("; samples ");
  }

  @Test
  void aChangedLineIsADamagedFileAndItsStepIsNamed() throws IOException {
    Path one = train("one");
    Path file = ledger(one);
    String text = Files.readString(file);
    int loss = text.indexOf("000000000003 ") + 13;
    char other = text.charAt(loss) == '4' ? '3' : '4';
    Files.writeString(file, text.substring(0, loss) + other + text.substring(loss + 1));
    assertThat(diff(one, one)).isEqualTo(4);
    assertThat(err.toString())
        .contains("line of step 3: expected check ")
        .contains("it was changed after it was written");
  }

  @Test
  void aForgedLedgerDoesNotLeadToTheCheckpointsHead() throws IOException {
    Path one = train("one");
    String trajectory = Files.readString(ledger(one)).split(" ", 6)[4];
    LedgerHistory history = LedgerHistory.read(one);
    Files.delete(ledger(one));
    try (LedgerWriter writer =
        LedgerWriter.open(one, new LedgerHeader(trajectory, 1, 0, 1, 0, 0))) {
      for (LedgerStep step : history.steps().values()) {
        int bits = step.lossBits() ^ (step.step() == 3 ? 1 : 0);
        writer.append(step.step(), bits, step.gradNormBits(), step.samples().orElseThrow());
      }
      assertThat(writer.flush(10_000)).isEmpty();
    }
    assertThat(diff(one, one)).isEqualTo(4);
    assertThat(err.toString())
        .contains("expected the ledger that led to checkpoint e0000000001-s000000000004 (head ")
        .contains("a line up to there was changed");
  }

  @Test
  void aFolderWithoutARunIsAMistakeOnTheCommandLine() {
    Path one = train("one");
    assertThat(diff(one, folder.resolve("nowhere"))).isEqualTo(2);
    assertThat(err.toString()).contains("nowhere holds no run (no config.yaml)");
    assertThat(kindling("diff-runs", one.toString())).isEqualTo(2);
  }

  @Test
  void aDamagedCheckpointIsSaidAndNotCompared() throws IOException {
    Path one = train("one");
    Path other = train("other");
    Path commit = other.resolve("checkpoints/commits/e0000000001-s000000000002.json");
    Files.writeString(commit, Files.readString(commit).replace("\"epoch\":1", "\"epoch\":2"));
    assertThat(diff(one, other)).isZero();
    assertThat(out.toString())
        .contains("not compared: ")
        .contains("checkpoints of step 4: no difference in ");
    Files.writeString(other.resolve("checkpoints/commits/e0000000001-s000000000004.json"), "{}");
    assertThat(diff(one, other)).isEqualTo(4);
    assertThat(err.toString()).contains("not compared: ").contains("s000000000004");
  }
}
