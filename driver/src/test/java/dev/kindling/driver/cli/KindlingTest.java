package dev.kindling.driver.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kindling.configs.yaml.ConfigDocument;
import dev.kindling.driver.launch.DeviceChoice;
import dev.kindling.worker.data.BadLines;
import dev.kindling.worker.data.DataException;
import dev.kindling.worker.data.Huggingface;
import dev.kindling.worker.data.Text;
import dev.kindling.worker.plan.PlanReader;
import dev.kindling.worker.plan.TrainPlan;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class KindlingTest {
  static final String CONFIG =
      """
      model: {type: llama, width: 32, layers: 2, heads: 2}
      data: {type: text, paths: [corpus]}
      optimizer: {type: adamw, lr: 1e-3}
      steps: 100
      sequence_length: 64
      micro_batch: 128
      global_batch: 256
      """;

  @TempDir private Path folder;

  private final StringWriter out = new StringWriter();
  private final StringWriter err = new StringWriter();
  private final RecordingBodies bodies = new RecordingBodies();
  private String config = "";

  @BeforeEach
  void writeConfig() throws IOException {
    config = Files.writeString(folder.resolve("exp.yaml"), CONFIG).toString();
  }

  private int run(String... arguments) {
    out.getBuffer().setLength(0);
    err.getBuffer().setLength(0);
    return Kindling.execute(
        bodies, new PrintWriter(out, true), new PrintWriter(err, true), arguments);
  }

  private String errors() {
    return err.toString().replace(folder.toString(), "DIR");
  }

  @Test
  void trainResolvesWritesTheConfigurationAndHandsOver() throws IOException {
    Path runDir = folder.resolve("run");
    assertThat(
            run(
                "train",
                config,
                "--set",
                "optimizer.lr=0.01",
                "--set=steps=7",
                "--run-dir",
                runDir.toString(),
                "--progress",
                "plain"))
        .as(errors())
        .isZero();
    RunRequest request = bodies.runs.get(0);
    assertThat(request.plan().steps()).isEqualTo(7);
    assertThat(request.resume()).isFalse();
    String written = Files.readString(runDir.resolve("config.yaml"), StandardCharsets.UTF_8);
    assertThat(written).contains("lr: 0.01");
    assertThat(PlanReader.fromYaml(written)).isEqualTo(request.plan());
  }

  @Test
  void trainIntoAFolderThatHoldsARunNamesResume() throws IOException {
    String runDir = folder.resolve("run").toString();
    assertThat(run("train", config, "--run-dir", runDir)).isZero();
    Files.writeString(Path.of(runDir, "metrics.jsonl"), "{\"step\":1,\"loss\":5.0}\n");
    assertThat(run("train", config, "--run-dir", runDir)).isEqualTo(2);
    assertThat(errors())
        .isEqualTo(
            "kindling: DIR/run already holds a run (metrics.jsonl); go on with: kindling resume"
                + " DIR/run, or choose another --run-dir\n");
    assertThat(bodies.runs).hasSize(1);
  }

  @Test
  void aRunThatEndedBeforeItsFirstStepIsReplaced() throws IOException {
    String runDir = folder.resolve("run").toString();
    assertThat(run("train", config, "--run-dir", runDir)).isZero();
    Files.writeString(Path.of(runDir, "metrics.jsonl"), "");
    assertThat(run("train", config, "--set", "steps=7", "--run-dir", runDir)).isZero();
    assertThat(written(runDir).steps()).isEqualTo(7);
  }

  @Test
  void aFolderInOtherHandsIsRefusedAndItsOwnerNamed() throws Exception {
    String runDir = folder.resolve("run").toString();
    assertThat(run("train", config, "--run-dir", runDir)).isZero();
    try (RunFolder other = RunFolder.own(runDir)) {
      for (String[] words :
          List.of(
              new String[] {"train", config, "--run-dir", runDir},
              new String[] {"resume", runDir})) {
        assertThat(run(words)).as("%s", other).isEqualTo(2);
        assertThat(errors())
            .startsWith("kindling: DIR/run: another driver works on this run (pid ")
            .contains(ProcessHandle.current().pid() + " on ")
            .hasLineCount(1);
      }
    }
    assertThat(run("resume", runDir)).isZero();
    assertThat(bodies.runs).hasSize(2);
  }

  @Test
  void aRunFolderThatCannotBeMadeIsRefused() throws IOException {
    Path file = Files.writeString(folder.resolve("notes"), "a file");
    assertThat(run("train", config, "--run-dir", file.toString())).isEqualTo(2);
    assertThat(errors())
        .startsWith("kindling: DIR/notes: expected a folder that exists or can be made: ")
        .hasLineCount(1);
    assertThat(bodies.runs).isEmpty();
  }

  private static TrainPlan written(String runDir) {
    return PlanReader.read(ConfigDocument.read(Path.of(runDir, "config.yaml")), List.of()).value();
  }

  @Test
  void resumeRefusesToStartAfreshAndKeepsWhatWorked() throws IOException {
    String runDir = folder.resolve("run").toString();
    assertThat(run("resume", runDir)).isEqualTo(2);
    assertThat(errors())
        .isEqualTo(
            "kindling: DIR/run holds no run (no config.yaml); start one with: kindling train"
                + " CONFIG.yaml --run-dir DIR/run\n");
    assertThat(run("train", config, "--run-dir", runDir)).isZero();
    assertThat(run("resume", runDir, "--set", "steps=200", "--set", "ranks=2")).isZero();
    assertThat(errors())
        .contains("kindling: ranks: was 1, now 2 (trajectory not bit-identical from here on)\n")
        .contains("kindling: steps: was 100, now 200 (trajectory not bit-identical from here on)");
    RunRequest request = bodies.runs.get(1);
    assertThat(request.resume()).isTrue();
    assertThat(request.plan().steps()).isEqualTo(200);
    assertThat(written(runDir).steps()).as("before the first step").isEqualTo(100);
    request.firstStep().run();
    assertThat(written(runDir)).isEqualTo(request.plan());
  }

  @Test
  void relativePathsAreStoredAbsolute() {
    String runDir = folder.resolve("run").toString();
    String tokenizer = "tokenizer={type: huggingface, path: words/tokenizer.json}";
    assertThat(run("train", config, "--set", tokenizer, "--run-dir", runDir)).isZero();
    Path here = Path.of("").toAbsolutePath();
    assertThat(written(runDir).data())
        .isEqualTo(new Text(List.of(here.resolve("corpus").toString()), List.of(), 0, false));
    assertThat(written(runDir).tokenizer())
        .isEqualTo(new Huggingface(here + "/words/tokenizer.json", Optional.empty()));
    assertThat(run("resume", runDir)).isZero();
  }

  @Test
  void resumeWithAnotherExperimentNamesOldAndNewValue() {
    String runDir = folder.resolve("run").toString();
    run("train", config, "--run-dir", runDir);
    assertThat(run("resume", runDir, "--set", "optimizer.lr=0.5", "--set", "seed=3")).isEqualTo(2);
    assertThat(errors())
        .isEqualTo(
            """
            kindling: a resumed run may change steps, intervals, logging, launcher, ranks, threads, memory, guard and mesh.zero only:
              optimizer.lr: was 0.001, now 0.5 (add --accept-change optimizer.lr to go on with it)
              seed: was 1, now 3 (add --accept-change seed to go on with it)
            """);
    assertThat(
            run(
                "resume",
                runDir,
                "--set",
                "seed=3",
                "--set",
                "optimizer.lr=0.5",
                "--accept-change",
                "seed",
                "--accept-change",
                "optimizer"))
        .isZero();
  }

  @Test
  void configurationErrorsAreLinesWithoutAStackTrace() throws IOException {
    Files.writeString(folder.resolve("bad.yaml"), CONFIG.replace("steps", "step") + "rank: 2\n");
    String bad = folder.resolve("bad.yaml").toString();
    assertThat(run("train", bad, "--set", "seed=x")).isEqualTo(2);
    assertThat(errors())
        .isEqualTo(
            """
            DIR/bad.yaml:1:1 steps: missing required key
            DIR/bad.yaml:4:1 step: unknown key "step" (did you mean "steps"?)
            DIR/bad.yaml:8:1 rank: unknown key "rank" (did you mean "ranks"?)
            --set:1:6 seed: expected integer, found "x"
            """);
    assertThat(run("explain", folder.resolve("none.yaml").toString())).isEqualTo(2);
    assertThat(errors()).isEqualTo("DIR/none.yaml:1:1 no such file\n");
    assertThat(bodies.runs).isEmpty();
  }

  @Test
  void commandLineErrorsExitWithTwo() {
    assertThat(run()).isEqualTo(2);
    assertThat(errors()).startsWith("kindling: Missing required command");
    assertThat(run("trian")).isEqualTo(2);
    assertThat(errors()).contains("trian").contains("train");
    assertThat(run("train")).isEqualTo(2);
    assertThat(errors()).contains("Missing required parameter: 'CONFIG.yaml'");
    assertThat(run("train", config, "--progress", "loud")).isEqualTo(2);
    assertThat(errors()).contains("--progress").contains("loud");
    assertThat(run("experiment", config, "--progress", "plain")).isEqualTo(2);
    assertThat(errors()).contains("--progress");
    assertThat(run("data")).isEqualTo(2);
    assertThat(errors()).contains("corpus, prepare or inspect");
    assertThat(run("generate", "run", "--prompt", "x", "--tokens", "0")).isEqualTo(2);
    assertThat(errors()).isEqualTo("kindling: --tokens: expected 1 or more, found 0\n");
    assertThat(run("generate", "run", "--prompt", "x", "--top-p", "2", "--top-k", "-1"))
        .isEqualTo(2);
    assertThat(errors())
        .isEqualTo(
            "kindling: top_k: expected 0 or more, found -1\n"
                + "top_p: expected a number in (0, 1], found 2.0\n");
  }

  @Test
  void evalWantsSomethingToMeasureAndHandsOver() {
    assertThat(run("eval", "run")).isEqualTo(2);
    assertThat(errors())
        .isEqualTo("kindling: eval: expected --data PATH or --choices FILE.jsonl, found neither\n");
    assertThat(run("eval", "run", "--choices", "q.jsonl", "--bad-lines", "ask")).isEqualTo(2);
    assertThat(errors()).contains("--bad-lines").contains("ask").contains("FAIL, SKIP");
    assertThat(bodies.evaluations).isEmpty();
    assertThat(run("eval", "run", "--data", "a.txt", "--device", "gpu")).isEqualTo(2);
    assertThat(errors()).contains("--device").contains("gpu").contains("AUTO, CPU, CUDA");
    assertThat(bodies.evaluations).isEmpty();
    String words = "eval run --data a.txt --bad-lines skip --json b.json --device cpu --context 64";
    assertThat(run(words.split(" "))).as(errors()).isZero();
    assertThat(bodies.evaluations)
        .containsExactly(
            new EvalRequest(
                new ModelSource("run", DeviceChoice.CPU, Optional.of(64)),
                Optional.of(Path.of("a.txt")),
                "text",
                Optional.empty(),
                BadLines.SKIP,
                Optional.of(Path.of("b.json"))));
  }

  @Test
  void helpIsEverywhere() {
    String commands =
        ",train,resume,experiment,explain,data,data corpus,data prepare,data"
            + " inspect,generate,eval,export,prune,diff-runs,replay,bench,doctor";
    for (String command : commands.split(",", -1)) {
      List<String> words = new ArrayList<>(List.of(command.split(" ", -1)));
      words.removeIf(String::isEmpty);
      words.add("--help");
      assertThat(run(words.toArray(String[]::new))).as(command).isZero();
      assertThat(out.toString())
          .contains("Usage: kindling" + (command.isEmpty() ? "" : " ") + command);
    }
  }

  @Test
  void knownFailuresPrintTheirMessageUnexpectedOnesTheirTrace() {
    bodies.failure = new DataException("corpus/a.txt: expected UTF-8 text, found byte 0xff");
    assertThat(run("train", config, "--run-dir", folder.resolve("a").toString())).isEqualTo(3);
    assertThat(errors())
        .isEqualTo("kindling: corpus/a.txt: expected UTF-8 text, found byte 0xff\n");
    bodies.failure = new IllegalStateException("surprise");
    assertThat(run("train", config, "--run-dir", folder.resolve("b").toString())).isEqualTo(1);
    assertThat(errors())
        .startsWith("kindling: unexpected failure")
        .contains("surprise")
        .contains("\tat dev.kindling.driver.cli.");
  }

  @Test
  void explainShowsValuesWithTheirOrigin() {
    assertThat(run("explain", config, "--set", "ranks=2")).as(errors()).isZero();
    assertThat(out.toString().replace(folder.toString(), "DIR"))
        .containsPattern("optimizer.lr +0.001 +DIR/exp.yaml:3\n")
        .containsPattern("ranks +2 +--set\n")
        .containsPattern("optimizer.beta1 +0.9 +default\n")
        .containsPattern("tokens per step +256 ")
        .containsPattern("micro-steps per step +1 ");
    assertThat(bodies.runs).isEmpty();
  }
}
