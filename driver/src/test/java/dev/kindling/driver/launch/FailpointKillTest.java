package dev.kindling.driver.launch;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kindling.driver.Main;
import dev.kindling.driver.compare.RunDiff;
import dev.kindling.driver.experiment.RunHistory;
import dev.kindling.kernels.fault.Failpoint;
import dev.kindling.worker.event.report.MetricsLog;
import dev.kindling.worker.store.Json;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.stream.LongStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.io.TempDir;

/**
 * Kills at every failpoint, before and after. A killed worker is replaced by the same command, a
 * killed driver by the next one; in the end every step, every byte of every checkpoint that both
 * have, the cursor and the ledger are those of a run that nobody disturbed.
 */
@Tag("long")
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class FailpointKillTest {
  private static final long SEED = Long.getLong("seed", 20261127L);
  private static final int STEPS = 15;
  private static final int SAVE_STEPS = 3;
  private static final int KILLED = 137;

  /** Most processes here live for a second or two. */
  private static final String SHORT_LIVED = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC";

  /** Far above what is needed: test machines are shared. */
  private static final long END_SECONDS = 300;

  @TempDir static Path folder;

  private final KillTrials trials = new KillTrials(SEED);
  private Path calm;

  @BeforeAll
  void undisturbed() throws Exception {
    StringBuilder text = new StringBuilder();
    for (int line = 0; line < 2000; line++) {
      text.append("line ").append(line * 7919L % 4001).append(" of a text that repeats itself\n");
    }
    Files.writeString(folder.resolve("corpus.txt"), text);
    Files.writeString(folder.resolve("held.txt"), text.substring(text.length() / 2));
    for (String launcher : List.of("processes", "spark")) {
      Files.writeString(
          folder.resolve(launcher + ".yaml"),
          """
          model: {type: llama, width: 16, layers: 1, heads: 2, context: 32}
          data: {type: text, paths: ["%s"], validation_paths: ["%s"]}
          optimizer: {type: adamw, lr: 3e-3}
          steps: %d
          sequence_length: 32
          micro_batch: 64
          global_batch: 256
          ranks: 2
          threads: 1
          matmul: java
          validation: {every_steps: 5, batches: 2}
          checkpoint: {every_steps: %d, async: false}
          log: {every_steps: 1}
          launcher: %s
          spark: {conf: {spark.executor.memory: 512m, spark.executor.extraClassPath: "%s"}}
          """
              .formatted(
                  folder.resolve("corpus.txt"),
                  folder.resolve("held.txt"),
                  STEPS,
                  SAVE_STEPS,
                  launcher,
                  DriverProcess.ownClasses()));
    }
    calm = folder.resolve("calm/run");
    Path plan = plan("calm", List.of());
    try (DriverProcess driver = start(plan, train("processes", calm))) {
      assertThat(driver.await(END_SECONDS)).as(driver.text()).isZero();
    }
    assertThat(steps(calm).keySet())
        .containsExactlyElementsOf(LongStream.rangeClosed(1, STEPS).boxed().toList());
  }

  private static Path plan(String name, List<String> lines) throws IOException {
    Path plan = Files.createDirectories(folder.resolve("plan-" + name));
    Files.write(plan.resolve("plan"), lines);
    return plan;
  }

  private static List<String> train(String launcher, Path run) {
    return List.of(
        "train", folder.resolve(launcher + ".yaml").toString(), "--run-dir", run.toString());
  }

  private static DriverProcess start(Path plan, List<String> words) throws IOException {
    List<String> all = new ArrayList<>(List.of(Main.class.getName()));
    all.addAll(words);
    return DriverProcess.startIn(
        Path.of("").toAbsolutePath(),
        folder,
        all,
        Map.of(Failpoint.VARIABLE, plan.toString(), "JDK_JAVA_OPTIONS", SHORT_LIVED));
  }

  /** As a user does it: again until it is done, {@code resume} once there is a step. */
  private static void toTheEnd(String launcher, Path run, Path plan, String... settings)
      throws Exception {
    int lines = Files.readAllLines(plan.resolve("plan")).size();
    for (int starts = 0; starts <= lines; starts++) {
      boolean begun = RunHistory.trace(run).isPresent();
      List<String> words =
          new ArrayList<>(begun ? List.of("resume", run.toString()) : train(launcher, run));
      if (!begun) {
        words.addAll(List.of(settings));
      }
      try (DriverProcess driver = start(plan, words)) {
        int code = driver.await(END_SECONDS);
        assertThat(code).as(driver.text()).isIn(0, KILLED);
        if (code == 0) {
          return;
        }
      }
    }
    throw new AssertionError(run + ": more starts than kills");
  }

  private static void assertAllFired(Path plan) throws IOException {
    List<String> lines = Files.readAllLines(plan.resolve("plan"));
    List<String> left = new ArrayList<>();
    for (int line = 1; line <= lines.size(); line++) {
      if (!Files.exists(plan.resolve("fired-" + line))) {
        left.add(lines.get(line - 1));
      }
    }
    assertThat(left).as("kills that did not come about, seed " + SEED + ", of " + lines).isEmpty();
  }

  private static SortedMap<Long, List<Long>> steps(Path run) throws IOException {
    SortedMap<Long, List<Long>> bits = new TreeMap<>();
    MetricsLog log = MetricsLog.read(run.resolve("metrics.jsonl"));
    log.byStep().forEach((step, line) -> bits.put(step, new ArrayList<>(bits(line))));
    log.validation().forEach((step, line) -> bits.get(step).add(bitsOf(line, "val_loss")));
    return bits;
  }

  private static List<Long> bits(Json.Obj line) {
    return List.of(bitsOf(line, "loss"), bitsOf(line, "grad_norm"), bitsOf(line, "tokens"));
  }

  private static long bitsOf(Json.Obj line, String key) {
    return Double.doubleToRawLongBits(MetricsLog.number(line, key));
  }

  private void assertSameAsCalm(Path run, Object plan) throws IOException {
    assertThat(steps(run)).as("seed " + SEED + ": " + plan).isEqualTo(steps(calm));
    RunDiff diff = RunDiff.of(calm, run);
    assertThat(diff.lines())
        .as("seed " + SEED + ": " + plan)
        .contains("steps 1 to " + STEPS + ": no difference in " + STEPS + " steps (ledger)")
        .anyMatch(line -> line.startsWith("checkpoints of step " + STEPS + ": no difference in "));
    assertThat(diff.same()).isTrue();
  }

  @Test
  void everyPointOfAPlainRunIsSurvived() throws Exception {
    List<List<String>> runs = trials.runs();
    int kills = 0;
    long start = System.nanoTime();
    for (int i = 0; i < runs.size(); i++) {
      Path plan = plan("run-" + i, runs.get(i));
      Path run = folder.resolve("run-" + i + "/run");
      toTheEnd("processes", run, plan);
      assertAllFired(plan);
      assertSameAsCalm(run, runs.get(i));
      assertThat(run.resolve("report.html")).exists();
      kills += runs.get(i).size();
      System.out.println("killed at " + runs.get(i) + ": 0 differences");
    }
    System.out.printf(
        "%d kills in %d runs, seed %d, 0 differences, %d s%n",
        kills, runs.size(), SEED, (System.nanoTime() - start) / 1_000_000_000L);
  }

  /** Of a save that steps do not wait for; others may be left out meanwhile. */
  @Test
  void everyPointOfASaveBesideTheStepsIsSurvived() throws Exception {
    List<String> lines = new ArrayList<>(trials.of(KillTrials.Place.BESIDE));
    lines.addAll(List.of("commit.link.before@rank0:1:halt"));
    Path plan = plan("beside", lines);
    Path run = folder.resolve("beside-run/run");
    toTheEnd("processes", run, plan, "--set", "checkpoint.async=true");
    assertAllFired(plan);
    assertSameAsCalm(run, lines);
  }

  /** The points that only an executor meets; its bits are those of a plain process. */
  @Test
  void everyPointOfAnExecutorIsSurvived() throws Exception {
    List<String> lines = trials.of(KillTrials.Place.SPARK);
    Path plan = plan("spark", lines);
    Path run = folder.resolve("spark-run/run");
    toTheEnd("spark", run, plan);
    assertAllFired(plan);
    assertSameAsCalm(run, lines);
  }

  /** No half a model under the final name; what was killed can be called again. */
  @Test
  void everyPointOfAnExportIsSurvived() throws Exception {
    Path calmModel = folder.resolve("models/calm");
    assertThat(export(plan("export", List.of()), calmModel)).isZero();
    List<String> lines = trials.of(KillTrials.Place.EXPORT);
    for (int i = 0; i < lines.size(); i++) {
      Path plan = plan("export-" + i, List.of(lines.get(i)));
      Path model = folder.resolve("models/killed-" + i);
      assertThat(export(plan, model)).as(lines.get(i)).isEqualTo(KILLED);
      assertAllFired(plan);
      boolean done = lines.get(i).startsWith(Failpoint.EXPORT_PUBLISH.moment(true));
      assertThat(Files.exists(model)).as(lines.get(i)).isEqualTo(done);
      if (!done) {
        assertThat(export(plan, model)).as(lines.get(i)).isZero();
      }
      for (String file : List.of("model.safetensors", "config.json")) {
        assertThat(model.resolve(file)).hasSameBinaryContentAs(calmModel.resolve(file));
      }
    }
    assertThat(export(plan("export", List.of()), folder.resolve("models/last"))).isZero();
    try (Stream<Path> left = Files.list(folder.resolve("models"))) {
      assertThat(left).as("what killed exports left").hasSize(lines.size() + 2);
    }
  }

  private int export(Path plan, Path model) throws Exception {
    List<String> words = List.of("export", calm.toString(), "--to", model.toString());
    try (DriverProcess driver = start(plan, words)) {
      return driver.await(END_SECONDS);
    }
  }

  @Test
  void everyPointOfAnExperimentIsSurvived() throws Exception {
    assertThat(experiment("calm-experiment", List.of())).isOne();
    List<String> lines = trials.of(KillTrials.Place.EXPERIMENT);
    assertThat(experiment("killed-experiment", lines)).isEqualTo(lines.size() + 1);
    for (String file : List.of("table.csv", "table.md")) {
      assertThat(folder.resolve("killed-experiment/" + file))
          .hasSameTextualContentAs(folder.resolve("calm-experiment/" + file));
    }
    assertThat(folder.resolve("calm-experiment/table.csv")).content().contains("done," + STEPS);
  }

  /** Calls it until it is done; returns how often. */
  private static int experiment(String name, List<String> lines) throws Exception {
    Path plan = plan(name, lines);
    Path file =
        Files.writeString(
            folder.resolve(name + ".yaml"),
            "config: processes.yaml\nfolder: %s\ngrid: {seed: [1]}\n"
                .formatted(folder.resolve(name)));
    int calls = 0;
    int code = KILLED;
    while (code == KILLED && calls <= lines.size()) {
      calls++;
      try (DriverProcess driver = start(plan, List.of("experiment", file.toString()))) {
        code = driver.await(END_SECONDS);
        assertThat(code).as(driver.text()).isIn(0, KILLED);
      }
    }
    assertAllFired(plan);
    return calls;
  }
}
