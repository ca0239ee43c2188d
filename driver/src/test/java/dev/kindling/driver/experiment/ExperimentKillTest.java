package dev.kindling.driver.experiment;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kindling.driver.Main;
import dev.kindling.driver.launch.DriverProcess;
import dev.kindling.worker.event.report.MetricsLog;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.LongStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * An experiment whose driver JVM is killed and called again: its table is that of an undisturbed
 * one, and no run is repeated or lost.
 */
@Tag("long")
class ExperimentKillTest {
  private static final int RUNS = 6;
  private static final int STEPS = 30;
  private static final int SAVE_STEPS = 10;

  /** Far above what is needed: test machines are shared. */
  private static final long END_SECONDS = 300;

  @TempDir static Path folder;

  private static Path experiment(String name, int parallel) throws IOException {
    StringBuilder text = new StringBuilder();
    for (int line = 0; line < 2000; line++) {
      text.append("line ").append(line * 7919L % 4001).append(" of a text that repeats itself\n");
    }
    Files.writeString(folder.resolve("corpus.txt"), text);
    Files.writeString(
        folder.resolve("run.yaml"),
        """
        model: {type: llama, width: 32, layers: 1, heads: 2, context: 64}
        data: {type: text, paths: ["%s"], validation_fraction: 0}
        optimizer: {type: adamw, lr: 3e-3}
        steps: %d
        sequence_length: 64
        micro_batch: 512
        global_batch: 4096
        threads: 1
        matmul: java
        checkpoint: {every_steps: %d}
        launcher: threads
        """
            .formatted(folder.resolve("corpus.txt"), STEPS, SAVE_STEPS));
    return Files.writeString(
        folder.resolve(name + ".yaml"),
        "config: run.yaml\nfolder: %s\nparallel: %d\ngrid: {seed: [1, 2, 3, 4, 5, 6]}\n"
            .formatted(folder.resolve(name), parallel));
  }

  private static DriverProcess call(Path file) throws IOException {
    return DriverProcess.start(
        folder, List.of(Main.class.getName(), "experiment", file.toString()));
  }

  private static Path run(String name, int seed) {
    return folder.resolve(name).resolve("runs/00%d-seed=%d".formatted(seed, seed));
  }

  /** Kills the driver as soon as the run of a seed has logged a step; returns what it said. */
  private static String killedIn(DriverProcess driver, int seed, long step) throws Exception {
    Path metrics = run("killed", seed).resolve("metrics.jsonl");
    long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(END_SECONDS);
    while (System.nanoTime() < deadline && driver.isAlive()) {
      if (MetricsLog.read(metrics).byStep().containsKey(step)) {
        driver.kill();
        assertThat(driver.await(END_SECONDS)).isEqualTo(128 + 9);
        return driver.text();
      }
      TimeUnit.MILLISECONDS.sleep(5);
    }
    throw new AssertionError("run " + seed + " never logged step " + step + "\n" + driver.text());
  }

  private static long count(String text, String word) {
    return text.lines().filter(line -> line.contains(word)).count();
  }

  @Test
  void aDriverKilledTwiceCostsNoRunAndChangesNoFigure() throws Exception {
    try (DriverProcess calm = call(experiment("calm", 2))) {
      assertThat(calm.await(END_SECONDS)).as(calm.text()).isZero();
    }
    Path file = experiment("killed", 1);
    List<String> said = new ArrayList<>();
    try (DriverProcess first = call(file)) {
      said.add(killedIn(first, 3, STEPS / 2));
    }
    try (DriverProcess second = call(file)) {
      said.add(killedIn(second, 5, 5));
    }
    try (DriverProcess third = call(file)) {
      assertThat(third.await(END_SECONDS)).as(third.text()).isZero();
      said.add(third.text());
    }
    assertThat(folder.resolve("killed/table.csv"))
        .hasSameTextualContentAs(folder.resolve("calm/table.csv"));
    assertThat(Files.readAllLines(folder.resolve("killed/table.csv")))
        .hasSize(1 + RUNS)
        .filteredOn(line -> line.contains(",done," + STEPS + ","))
        .hasSize(RUNS);
    assertThat(said.get(0)).as("first call").contains("003-seed=3: started");
    assertThat(said.get(1)).as("second call").contains("003-seed=3: resumed");
    assertThat(said.get(2)).as("third call").contains("005-seed=5: resumed");
    for (int seed = 1; seed <= RUNS; seed++) {
      String all = String.join("\n", said);
      assertThat(count(all, "seed=" + seed + ": started")).as(all).isOne();
      assertThat(count(all, "seed=" + seed + ": done")).as(all).isOne();
      assertStepsOf(seed, seed == 3 || seed == 5 ? 2 : 1);
    }
  }

  /** Every step is there, and only what followed the last checkpoint was computed again. */
  private static void assertStepsOf(int seed, int starts) throws IOException {
    Path log = folder.resolve("killed/logs/00%d-seed=%d.log".formatted(seed, seed));
    String text = Files.readString(log, StandardCharsets.ISO_8859_1);
    assertThat(count(text, "run folder ")).as(text).isEqualTo(starts);
    assertThat(text).contains("step " + STEPS).doesNotContain("sample");
    try (Stream<Path> epochs = Files.list(run("killed", seed).resolve("checkpoints/epochs"))) {
      assertThat(epochs).as("attempts of run " + seed).hasSize(starts);
    }
    Path metrics = run("killed", seed).resolve("metrics.jsonl");
    assertThat(MetricsLog.read(metrics).byStep().keySet())
        .containsExactlyElementsOf(LongStream.rangeClosed(1, STEPS).boxed().toList());
    long repeated = MetricsLog.repeated(metrics);
    // A kill may hit while the checkpoint of the interval before is still being written.
    assertThat(repeated).isBetween(0L, starts == 1 ? 0L : 2L * SAVE_STEPS);
    for (long step : MetricsLog.read(metrics).byStep().keySet()) {
      assertThat(loss("killed", seed, step)).isEqualTo(loss("calm", seed, step));
    }
  }

  private static double loss(String name, int seed, long step) throws IOException {
    MetricsLog log = MetricsLog.read(run(name, seed).resolve("metrics.jsonl"));
    return MetricsLog.number(
        java.util.Objects.requireNonNull(log.byStep().get(step), "step " + step), "loss");
  }
}
