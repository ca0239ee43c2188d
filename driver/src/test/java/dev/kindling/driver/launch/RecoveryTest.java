package dev.kindling.driver.launch;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kindling.driver.Main;
import dev.kindling.worker.checkpoint.CheckpointStore;
import dev.kindling.worker.checkpoint.Generation;
import dev.kindling.worker.event.report.MetricsLog;
import dev.kindling.worker.loop.WorkerTask;
import dev.kindling.worker.store.LocalStorage;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Real training by two executor JVMs, disturbed by kills and signals: at the end it has the losses
 * and the state of an undisturbed run, bit for bit.
 */
@Tag("long")
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class RecoveryTest {
  private static final int STEPS = 200;

  /** Far above what is promised (30 s): test machines are shared. */
  private static final long END_SECONDS = 180;

  private static final long RUN_SECONDS = 300;
  private static final String METRICS = "metrics.jsonl";

  @TempDir static Path folder;
  private Path calm;

  @BeforeAll
  void undisturbed() throws Exception {
    StringBuilder text = new StringBuilder();
    for (int line = 0; line < 4000; line++) {
      text.append("line ").append(line * 7919L % 4001).append(" of a text that repeats itself\n");
    }
    Files.writeString(folder.resolve("corpus.txt"), text);
    Files.writeString(folder.resolve("held.txt"), text.substring(text.length() / 2));
    Files.writeString(
        folder.resolve("run.yaml"),
        """
        model: {type: llama, width: 32, layers: 2, heads: 2, context: 64}
        data: {type: text, paths: ["%s"], validation_paths: ["%s"]}
        optimizer: {type: adamw, lr: 3e-3}
        steps: %d
        sequence_length: 64
        micro_batch: 512
        global_batch: 4096
        ranks: 2
        threads: 1
        matmul: java
        validation: {every_steps: 80, batches: 2}
        checkpoint: {every_steps: 20}
        log: {every_steps: 1}
        launcher: spark
        spark: {conf: {spark.executor.memory: 512m, spark.executor.extraClassPath: "%s"}}
        """
            .formatted(
                folder.resolve("corpus.txt"),
                folder.resolve("held.txt"),
                STEPS,
                DriverProcess.ownClasses()));
    calm = folder.resolve("runs/calm");
    try (DriverProcess driver = train(calm)) {
      assertThat(driver.await(RUN_SECONDS)).as(driver.text()).isZero();
      assertThat(driver.text()).contains("--- sample after step " + STEPS);
    }
    assertThat(losses(calm)).hasSize(STEPS);
  }

  private DriverProcess train(Path run) throws IOException {
    return command("train", folder.resolve("run.yaml").toString(), "--run-dir", run.toString());
  }

  private DriverProcess command(String... words) throws IOException {
    List<String> all = new ArrayList<>(List.of(Main.class.getName()));
    all.addAll(List.of(words));
    all.addAll(List.of("--progress", "plain"));
    return DriverProcess.start(folder, all);
  }

  private static SortedMap<Long, Double> losses(Path run) throws IOException {
    SortedMap<Long, Double> losses = new TreeMap<>();
    MetricsLog.read(run.resolve(METRICS))
        .byStep()
        .forEach((step, line) -> losses.put(step, MetricsLog.number(line, "loss")));
    return losses;
  }

  private static Generation last(Path run) {
    List<String> refusals = new ArrayList<>();
    Generation last =
        CheckpointStore.open(new LocalStorage(run.resolve(WorkerTask.CHECKPOINTS)), 2)
            .newestValid(refusals)
            .orElseThrow();
    assertThat(refusals).isEmpty();
    return last;
  }

  private void assertSameAsUndisturbed(Path run) throws IOException {
    assertThat(losses(run)).isEqualTo(losses(calm));
    assertThat(last(run).step()).isEqualTo(STEPS);
    assertThat(last(run).stateHash()).isEqualTo(last(calm).stateHash());
  }

  private static void awaitStep(DriverProcess driver, Path run, int attempt, long step)
      throws IOException, InterruptedException {
    long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(RUN_SECONDS);
    while (System.nanoTime() < deadline && driver.isAlive()) {
      if (Files.exists(run.resolve(METRICS)) && reached(run, attempt, step)) {
        return;
      }
      TimeUnit.MILLISECONDS.sleep(10);
    }
    throw new AssertionError("attempt " + attempt + " never reached " + step + driver.text());
  }

  private static boolean reached(Path run, int attempt, long step) throws IOException {
    long newest = 0;
    for (String line : Files.readAllLines(run.resolve(METRICS), StandardCharsets.UTF_8)) {
      if (line.contains("\"attempt\":" + attempt)) {
        newest = Math.max(newest, Long.parseLong(line.replaceFirst("\\{\"step\":(\\d+),.*", "$1")));
      }
    }
    return newest >= step;
  }

  @Test
  void killedExecutorsAreReplacedByTheSameCommand() throws Exception {
    Path run = folder.resolve("runs/killed");
    try (DriverProcess driver = train(run)) {
      // Each executor once: one of them holds rank 0.
      for (int attempt = 1; attempt <= 2; attempt++) {
        awaitStep(driver, run, attempt, 70L * attempt);
        List<ProcessHandle> executors = driver.executors();
        assertThat(executors).as(driver.text()).hasSizeGreaterThanOrEqualTo(2);
        assertThat(executors.get(attempt - 1).destroyForcibly()).isTrue();
      }
      assertThat(driver.await(RUN_SECONDS)).as(driver.text()).isZero();
      assertThat(driver.text())
          .contains("attempt 1 failed, trying again")
          .contains("attempt 2 failed, trying again")
          .contains("its worker died")
          .containsPattern("log of rank \\d: " + run + "/logs/rank-\\d\\.log");
    }
    String logs = rankLogs(run);
    for (int attempt = 1; attempt <= 2; attempt++) {
      assertThat(logs)
          .contains(" attempt " + attempt + " INFO executor ")
          .containsPattern(" attempt " + attempt + " ERROR attempt " + attempt + " failed: rank");
    }
    assertSameAsUndisturbed(run);
  }

  private static String rankLogs(Path run) throws IOException {
    StringBuilder text = new StringBuilder();
    for (int rank = 0; rank < 2; rank++) {
      text.append(Files.readString(run.resolve("logs/rank-" + rank + ".log")));
    }
    return text.toString();
  }

  @ParameterizedTest
  @CsvSource({"INT, 130", "TERM, 143"})
  void aSignalToTheGroupLeavesACheckpointToResumeFrom(String signal, int code) throws Exception {
    Path run = folder.resolve("runs/signal-" + signal);
    try (DriverProcess driver = train(run)) {
      awaitStep(driver, run, 1, 50);
      driver.signalGroup(signal);
      assertThat(driver.await(END_SECONDS)).as(driver.text()).isEqualTo(code);
    }
    long saved = last(run).step();
    assertThat(saved).isEqualTo(losses(run).lastKey()).isBetween(50L, (long) STEPS);
    try (DriverProcess driver = command("resume", run.toString())) {
      assertThat(driver.await(RUN_SECONDS)).as(driver.text()).isZero();
    }
    assertThat(MetricsLog.repeated(run.resolve(METRICS))).isZero();
    assertSameAsUndisturbed(run);
  }

  @Test
  void aKilledDriverLeavesNoExecutorAndIsResumed() throws Exception {
    Path run = folder.resolve("runs/driver");
    List<ProcessHandle> executors;
    try (DriverProcess driver = train(run)) {
      awaitStep(driver, run, 1, 5);
      executors = driver.executors();
      assertThat(executors).hasSize(2);
      driver.kill();
      assertThat(driver.await(END_SECONDS)).isNotZero();
      for (ProcessHandle executor : executors) {
        executor.onExit().get(60, TimeUnit.SECONDS);
      }
    }
    try (DriverProcess driver = command("resume", run.toString())) {
      assertThat(driver.await(RUN_SECONDS)).as(driver.text()).isZero();
    }
    assertSameAsUndisturbed(run);
  }
}
