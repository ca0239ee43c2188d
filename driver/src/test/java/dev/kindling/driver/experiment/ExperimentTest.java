package dev.kindling.driver.experiment;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kindling.configs.yaml.ConfigException;
import dev.kindling.kernels.graph.PlanException;
import dev.kindling.worker.checkpoint.CheckpointStore;
import dev.kindling.worker.event.report.MetricsLog;
import dev.kindling.worker.loop.StopRequest;
import dev.kindling.worker.store.LocalStorage;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ExperimentTest {
  @TempDir Path folder;
  private final List<String> started = Collections.synchronizedList(new ArrayList<>());
  private final StringWriter text = new StringWriter();

  @BeforeEach
  void configuration() throws IOException {
    Files.writeString(
        folder.resolve("tiny.yaml"),
        """
        model: {type: llama, width: 32, layers: 1, heads: 2, context: 64}
        data: {type: text, paths: [somewhere], validation_fraction: 0.1}
        optimizer: {type: adamw, lr: 3e-3}
        steps: 3
        sequence_length: 64
        micro_batch: 64
        global_batch: 64
        launcher: threads
        """);
  }

  private Experiment experiment(String extra) throws IOException {
    Path file = folder.resolve("sweep.yaml");
    Files.writeString(file, "config: tiny.yaml\nfolder: " + folder.resolve("out") + "\n" + extra);
    return Experiment.read(file, new PrintWriter(text, true));
  }

  private static final String GRID =
      "grid: {optimizer.lr: [1e-3, 1e-2], seed: [1, 2]}\nruns: [{name: long, set: [steps=4]}]\n";

  /** What a run of the fake trainer leaves: three lines of metrics that follow from its name. */
  private static void metrics(Path runDir, int attempt) throws IOException {
    Files.createDirectories(runDir);
    StringBuilder lines = new StringBuilder();
    int salt = String.valueOf(runDir.getFileName()).hashCode() & 0xff;
    for (int step = 1; step <= 3; step++) {
      lines.append(
          "{\"step\":%d,\"tokens\":%d,\"loss\":%s,\"attempt\":%d,\"step_ms\":%d,\"device_bytes_peak\":%d%s}%n"
              .formatted(
                  step,
                  step * 64,
                  5.0 - step + salt / 256.0,
                  attempt,
                  step * 10,
                  step * 1000,
                  step > 1 ? ",\"val_loss\":" + (5.5 - step) : ""));
    }
    Files.writeString(
        runDir.resolve("metrics.jsonl"),
        lines,
        java.nio.file.StandardOpenOption.CREATE,
        java.nio.file.StandardOpenOption.APPEND);
  }

  private static Path runDirOf(List<String> command) {
    int at = command.indexOf("--run-dir");
    return Path.of(command.get(at < 0 ? 1 : at + 1));
  }

  private int train(String name, List<String> command, String gpus) throws IOException {
    started.add(command.get(0) + " " + name);
    metrics(runDirOf(command), 1);
    return 0;
  }

  @Test
  void everyCombinationAndEveryListedRunIsRunOnce() throws Exception {
    assertThat(experiment(GRID).run(this::train, () -> StopRequest.NONE)).isZero();
    assertThat(started)
        .containsExactlyInAnyOrder(
            "train 001-lr=1e-3-seed=1",
            "train 002-lr=1e-3-seed=2",
            "train 003-lr=1e-2-seed=1",
            "train 004-lr=1e-2-seed=2",
            "train long");
    List<String> csv = Files.readAllLines(folder.resolve("out/table.csv"));
    assertThat(csv.get(0))
        .isEqualTo("run,optimizer.lr,seed,steps,status,steps,tokens,loss,val_loss,best_val_loss");
    assertThat(csv.get(1))
        .startsWith("001-lr=1e-3-seed=1,1e-3,1,,done,3,192,")
        .endsWith(",2.5,2.5");
    assertThat(csv).hasSize(6);
    assertThat(Files.readAllLines(folder.resolve("out/costs.csv")))
        .contains(
            "run,optimizer.lr,seed,steps,median_step_ms,seconds_of_steps,bytes_peak",
            "long,,,4,20.00,0.1,3000");
    assertThat(Files.readString(folder.resolve("out/table.md"))).contains("| long |");
    assertThat(folder.resolve("out/costs.svg")).content().contains(">long</text>");
    assertThat(Files.readString(folder.resolve("out/curves.svg")))
        .contains("<polyline")
        .contains("001-lr=1e-3-seed=1");
    assertThat(Files.readString(folder.resolve("out/validation.svg")))
        .contains("<polyline", "001-lr=1e-3-seed=1", "validation loss");
    started.clear();
    assertThat(experiment(GRID).run(this::train, () -> StopRequest.NONE)).isZero();
    assertThat(started).as("nothing is repeated").isEmpty();
    assertThat(Files.readAllLines(folder.resolve("out/table.csv"))).isEqualTo(csv);
  }

  @Test
  void aBrokenRunIsResumedAndTheTableIsThatOfAnUndisturbedOne() throws Exception {
    RunStarter dies =
        (name, command, gpus) -> {
          started.add(command.get(0) + " " + name);
          if (name.startsWith("002")) {
            metrics(runDirOf(command), 1);
            CheckpointStore.open(new LocalStorage(runDirOf(command).resolve("checkpoints")), 2)
                .claimEpoch();
            new LocalStorage(runDirOf(command).resolve("checkpoints"))
                .commitExclusive("commits/e0000000001-s000000000002.json", new byte[] {1});
            return 137;
          }
          if (name.startsWith("003")) {
            Files.createDirectories(runDirOf(command));
            Files.writeString(runDirOf(command).resolve("config.yaml"), "x");
            return 6;
          }
          if (name.startsWith("004")) {
            metrics(runDirOf(command), 1);
            return 143;
          }
          metrics(runDirOf(command), 1);
          return 0;
        };
    assertThat(experiment(GRID).run(dies, () -> StopRequest.NONE)).isEqualTo(137);
    assertThat(Files.readString(folder.resolve("out/table.csv")))
        .contains("failed (137)")
        .contains("failed (6)");
    started.clear();
    assertThat(experiment(GRID).run(this::train, () -> StopRequest.NONE)).isZero();
    assertThat(started)
        .containsExactlyInAnyOrder(
            "resume 002-lr=1e-3-seed=2", "train 003-lr=1e-2-seed=1", "resume 004-lr=1e-2-seed=2");
    String disturbed = Files.readString(folder.resolve("out/table.csv"));
    new LocalStorage(folder).deleteFolder("out");
    experiment(GRID).run(this::train, () -> StopRequest.NONE);
    assertThat(Files.readString(folder.resolve("out/table.csv"))).isEqualTo(disturbed);
  }

  @ParameterizedTest
  @ValueSource(strings = {"apollo/tune.yaml", "javadoc/methods.yaml", "javadoc/pruned.yaml"})
  void theExperimentsOfTheRecipesAreWhole(String file) {
    Path path = Path.of("..", "cluster-configs", file);
    assertThat(Experiment.read(path, new PrintWriter(text)).folder())
        .hasParentRaw(Path.of("runs").toAbsolutePath());
  }

  @Test
  void aStopStartsNothingMore() throws Exception {
    assertThat(experiment(GRID).run(this::train, () -> StopRequest.CHECKPOINT_AND_STOP)).isZero();
    assertThat(started).isEmpty();
    assertThat(Files.readString(folder.resolve("out/table.csv"))).contains("pending");
  }

  @Test
  void runsMayBeAddedToAFinishedExperiment() throws Exception {
    experiment("runs:\n  - {name: a, set: [seed=1]}\n").run(this::train, () -> StopRequest.NONE);
    assertThat(folder.resolve("out/seeds.md")).doesNotExist();
    started.clear();
    String more = "runs:\n  - {name: b, set: [seed=2]}\n  - {name: a, set: [seed=1]}\n";
    assertThat(experiment(more).run(this::train, () -> StopRequest.NONE)).isZero();
    assertThat(started).containsExactly("train b");
    assertThat(Files.readString(folder.resolve("out/table.md"))).contains("| b |", "| a |");
    assertThat(Files.readString(folder.resolve("out/seeds.md")))
        .contains("| b | 2 | 2 | 2.5000 | 0.0000 | 2.5000 | 2.5000 |");
    assertThat(folder.resolve("out/seeds.svg")).content().contains("<polyline");
    Experiment changed = experiment("runs:\n  - {name: a, set: [seed=3]}\n");
    assertThatThrownBy(() -> changed.run(this::train, () -> StopRequest.NONE))
        .isInstanceOf(PlanException.class)
        .hasMessageContaining("add runs");
  }

  @Test
  void anotherExperimentInTheFolderIsRefused() throws Exception {
    experiment(GRID).run(this::train, () -> StopRequest.NONE);
    Experiment other = experiment("grid: {seed: [3]}\n");
    assertThatThrownBy(() -> other.run(this::train, () -> StopRequest.NONE))
        .isInstanceOf(PlanException.class)
        .hasMessageContaining("holds another experiment");
  }

  @Test
  void errorsAreFoundBeforeTheFirstRun() {
    assertThatThrownBy(() -> experiment("grid: {optimizer.lrr: [1]}\n"))
        .isInstanceOf(ConfigException.class)
        .hasMessageContaining("lrr");
    assertThatThrownBy(() -> experiment("gird: {seed: [1]}\n"))
        .isInstanceOf(ConfigException.class)
        .hasMessageContaining("gird");
    assertThatThrownBy(() -> experiment("parallel: 1\n"))
        .isInstanceOf(ConfigException.class)
        .hasMessageContaining("grid or runs");
    assertThatThrownBy(() -> experiment("runs: [{name: ../x}]\n"))
        .isInstanceOf(ConfigException.class)
        .hasMessageContaining("letters");
    assertThatThrownBy(() -> experiment("runs: [{name: a}, {name: a}]\n"))
        .isInstanceOf(PlanException.class)
        .hasMessageContaining("a twice");
    assertThat(folder.resolve("out")).doesNotExist();
  }

  @Test
  void ofSeveralLinesOfAStepTheHighestAttemptCounts() throws IOException {
    Path file = folder.resolve("metrics.jsonl");
    Files.writeString(
        file,
        "{\"step\":1,\"loss\":1.0,\"attempt\":1}\n{\"step\":2,\"loss\":\"NaN\",\"attempt\":2}\n{\"step\":1,\"loss\":3.0,\"att\n"
            + "{\"step\":1,\"loss\":2.0,\"attempt\":2}\n{\"step\":1,\"loss\":9.0,\"attempt\":1}\n");
    MetricsLog log = MetricsLog.read(file);
    assertThat(log.byStep().keySet()).containsExactly(1L, 2L);
    assertThat(MetricsLog.repeated(file)).isEqualTo(2);
    assertThat(log.byStep().values().stream().map(line -> MetricsLog.number(line, "loss")))
        .containsExactly(2.0, Double.NaN);
  }
}
