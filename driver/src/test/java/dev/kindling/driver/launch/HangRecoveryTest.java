package dev.kindling.driver.launch;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kindling.driver.Main;
import dev.kindling.worker.event.report.MetricsLog;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Real worker processes that are stopped and go on, or do not: the losses stay the same bits. */
@Tag("long")
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class HangRecoveryTest {
  private static final int STEPS = 100;
  private static final int HANG_SECONDS = 5;

  /** Far above what is needed: test machines are shared. */
  private static final long END_SECONDS = 300;

  @TempDir static Path folder;
  private final Random random = new Random(Long.getLong("seed", 7));
  private SortedMap<Long, Double> calm;

  @BeforeAll
  void undisturbed() throws Exception {
    StringBuilder text = new StringBuilder();
    for (int line = 0; line < 4000; line++) {
      text.append("line ").append(line * 7919L % 4001).append(" of a text that repeats itself\n");
    }
    Files.writeString(folder.resolve("corpus.txt"), text);
    Files.writeString(
        folder.resolve("run.yaml"),
        """
        model: {type: llama, width: 32, layers: 2, heads: 2, context: 64}
        data: {type: text, paths: ["%s"], validation_fraction: 0}
        optimizer: {type: adamw, lr: 3e-3}
        steps: %d
        sequence_length: 64
        micro_batch: 512
        global_batch: 4096
        ranks: 2
        threads: 1
        matmul: java
        checkpoint: {every_steps: 20}
        spark: {conf: {spark.executor.memory: 512m, spark.executor.extraClassPath: "%s"}}
        """
            .formatted(folder.resolve("corpus.txt"), STEPS, DriverProcess.ownClasses()));
    Path run = folder.resolve("runs/calm");
    try (DriverProcess driver = train(run, "threads", "60s")) {
      assertThat(driver.await(END_SECONDS)).as(driver.text()).isZero();
    }
    calm = losses(run);
    assertThat(calm).hasSize(STEPS);
  }

  private static DriverProcess train(Path run, String launcher, String hangTimeout)
      throws IOException {
    return train(run, launcher, hangTimeout, Map.of());
  }

  private static DriverProcess train(
      Path run, String launcher, String hangTimeout, Map<String, String> variables)
      throws IOException {
    return DriverProcess.startIn(
        folder,
        folder,
        List.of(
            Main.class.getName(),
            "train",
            folder.resolve("run.yaml").toString(),
            "--run-dir",
            run.toString(),
            "--set",
            "launcher=" + launcher,
            "--set",
            "recovery.hang_timeout=" + hangTimeout,
            "--progress",
            "plain"),
        variables);
  }

  private static SortedMap<Long, Double> losses(Path run) throws IOException {
    SortedMap<Long, Double> losses = new TreeMap<>();
    MetricsLog.read(run.resolve("metrics.jsonl"))
        .byStep()
        .forEach((step, line) -> losses.put(step, MetricsLog.number(line, "loss")));
    return losses;
  }

  private static void awaitStep(DriverProcess driver, Path run, int attempt, long step)
      throws IOException, InterruptedException {
    Path metrics = run.resolve("metrics.jsonl");
    String wanted = "\"attempt\":" + attempt;
    long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(END_SECONDS);
    while (System.nanoTime() < deadline && driver.isAlive()) {
      if (Files.exists(metrics)
          && Files.readAllLines(metrics, StandardCharsets.UTF_8).stream()
              .filter(line -> line.contains(wanted))
              .anyMatch(
                  line ->
                      Long.parseLong(line.replaceFirst("\\{\"step\":(\\d+).*", "$1")) >= step)) {
        return;
      }
      TimeUnit.MILLISECONDS.sleep(10);
    }
    throw new AssertionError("attempt " + attempt + " never reached " + step + driver.text());
  }

  private static void awaitText(DriverProcess driver, String expression)
      throws IOException, InterruptedException {
    Pattern pattern = Pattern.compile(expression);
    long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(END_SECONDS);
    while (!pattern.matcher(driver.text()).find()) {
      assertThat(driver.isAlive() && System.nanoTime() < deadline)
          .as("%s in %s", expression, driver.text())
          .isTrue();
      TimeUnit.MILLISECONDS.sleep(20);
    }
  }

  private static void signal(String name, ProcessHandle process)
      throws IOException, InterruptedException {
    new ProcessBuilder("kill", "-" + name, Long.toString(process.pid()))
        .redirectError(ProcessBuilder.Redirect.DISCARD)
        .start()
        .waitFor();
  }

  private ProcessHandle anyWorker(DriverProcess driver) {
    List<ProcessHandle> workers = driver.workers();
    assertThat(workers).hasSize(2);
    return workers.get(random.nextInt(2));
  }

  @Test
  void aPauseBelowTheTimeoutIsReportedAndNothingElse() throws Exception {
    Path run = folder.resolve("runs/paused");
    try (DriverProcess driver = train(run, "processes", "200s")) {
      awaitStep(driver, run, 1, 30);
      ProcessHandle worker = anyWorker(driver);
      signal("STOP", worker);
      awaitText(driver, "no progress \\(replaced after 200 s, recovery.hang_timeout\\): rank 0: ");
      signal("CONT", worker);
      awaitText(driver, "all ranks make progress again");
      assertThat(driver.await(END_SECONDS)).as(driver.text()).isZero();
      assertThat(driver.text()).doesNotContain("attempt 2");
    }
    assertThat(losses(run)).isEqualTo(calm);
  }

  @ParameterizedTest
  @ValueSource(strings = {"processes", "spark"})
  void aStoppedWorkerIsReplaced(String launcher) throws Exception {
    replaced(launcher, folder.resolve("runs/stopped-" + launcher), 1);
  }

  @Tag("long")
  @ParameterizedTest
  @ValueSource(strings = {"processes", "spark"})
  void stoppedWorkersAreReplacedWhateverTheyDid(String launcher) throws Exception {
    replaced(launcher, folder.resolve("runs/again-" + launcher), 3);
  }

  @Test
  void workersOfAKilledDriverGoAndTakeTheirMeetingPlaceAlong() throws Exception {
    Path temporary = Files.createDirectory(folder.resolve("temporary"));
    Map<String, String> variables = Map.of("JAVA_TOOL_OPTIONS", "-Djava.io.tmpdir=" + temporary);
    Path run = folder.resolve("runs/orphans");
    try (DriverProcess driver = train(run, "processes", "60s", variables)) {
      awaitStep(driver, run, 1, 10);
      List<ProcessHandle> workers = driver.workers();
      assertThat(workers).hasSize(2);
      assertThat(meetings(temporary)).hasSize(1);
      driver.kill();
      for (ProcessHandle worker : workers) {
        worker.onExit().get(END_SECONDS, TimeUnit.SECONDS);
      }
    }
    assertThat(meetings(temporary)).isEmpty();
  }

  private static List<Path> meetings(Path folder) throws IOException {
    try (Stream<Path> files = Files.list(folder)) {
      return files
          .filter(file -> String.valueOf(file.getFileName()).startsWith("kindling-meeting-"))
          .toList();
    }
  }

  /** A frozen process does not even die before it is thawed: its driver must not wait for it. */
  @ParameterizedTest
  @ValueSource(strings = {"processes", "spark"})
  void aFrozenWorkerIsReplaced(String launcher) throws Exception {
    Path run = folder.resolve("runs/frozen-" + launcher);
    try (ControlGroup group = ControlGroup.of(ControlGroup.Kind.FREEZER);
        DriverProcess driver = train(run, launcher, HANG_SECONDS + "s")) {
      awaitStep(driver, run, 1, 30);
      ProcessHandle worker = anyWorker(driver);
      group.add(worker);
      group.freeze();
      awaitText(driver, "hangs or its host is gone[^\\n]*silent");
      awaitStep(driver, run, 2, 50);
      group.thaw();
      worker.onExit().get(END_SECONDS, TimeUnit.SECONDS);
      assertThat(driver.await(END_SECONDS)).as(driver.text()).isZero();
    }
    assertThat(losses(run)).isEqualTo(calm);
  }

  @ParameterizedTest
  @ValueSource(strings = {"processes", "spark"})
  void aWorkerThatTheKernelKillsForItsMemoryIsReplaced(String launcher) throws Exception {
    Path run = folder.resolve("runs/memory-" + launcher);
    try (ControlGroup group = ControlGroup.of(ControlGroup.Kind.MEMORY);
        DriverProcess driver = train(run, launcher, "200s")) {
      awaitStep(driver, run, 1, 30);
      ProcessHandle worker = anyWorker(driver);
      group.limitMemory(64 * 1024);
      group.add(worker);
      worker.onExit().get(END_SECONDS, TimeUnit.SECONDS);
      assertThat(driver.await(END_SECONDS)).as(driver.text()).isZero();
      assertThat(driver.text())
          .contains("attempt 2")
          .containsPattern("exit code 137|its worker died");
    }
    assertThat(losses(run)).isEqualTo(calm);
  }

  /** Each time it may go on as soon as it is given up, as on a host that comes back. */
  private void replaced(String launcher, Path run, int times) throws Exception {
    try (DriverProcess driver = train(run, launcher, HANG_SECONDS + "s")) {
      for (int attempt = 1; attempt <= times; attempt++) {
        awaitStep(driver, run, attempt, 20L * attempt + random.nextInt(20));
        ProcessHandle worker = anyWorker(driver);
        signal("STOP", worker);
        // Given up by now, as a rule, and about to be killed: what it still does must not matter.
        TimeUnit.SECONDS.sleep(HANG_SECONDS + 4);
        signal("CONT", worker);
        awaitText(
            driver, "(hangs or its host is gone[^\\n]*silent[^\\n]*[\\s\\S]*){" + attempt + "}");
        worker.onExit().get(END_SECONDS, TimeUnit.SECONDS);
      }
      assertThat(driver.await(END_SECONDS)).as(driver.text()).isZero();
    }
    assertThat(losses(run)).isEqualTo(calm);
  }
}
