package dev.kindling.benchmarks;

import dev.kindling.worker.checkpoint.CheckpointStore;
import dev.kindling.worker.checkpoint.GenerationDiff;
import dev.kindling.worker.event.report.MetricsLog;
import dev.kindling.worker.store.Json;
import dev.kindling.worker.store.LocalStorage;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Stream;

/**
 * Kills runs and compares them with one that nobody disturbed: the bits of every step's loss and
 * gradient norm, every byte of weights and optimizer state in the last checkpoint, and the data
 * cursor.
 *
 * <p>Each run dies once, at a seeded moment after step 1 and before the last; every second moment
 * is aimed at a checkpoint being written. Targets take turns: a worker and rank 0 (the same command
 * must recover by itself) and the driver ({@code resume}).
 *
 * <p>Options: {@code --runs N} (20), {@code --launcher processes|spark} (spark), {@code --seed N},
 * {@code --steps N} (60), {@code --keep DIR} (default: a temporary folder that is deleted).
 */
final class ResumeBench implements Benchmark {
  private static final int CHECKPOINT_EVERY = 5;

  private final Map<String, Integer> kills = new TreeMap<>();
  private long differences;
  private long recomputed;
  private long recomputedMost;
  private int missed;

  @Override
  public void run(Results results, List<String> arguments) throws Exception {
    BenchOptions options =
        BenchOptions.of(
            arguments,
            Map.of(
                "runs", "20", "launcher", "spark", "seed", "20261122", "steps", "60", "keep", ""));
    boolean temporary = options.text("keep").isEmpty();
    Path folder =
        temporary
            ? Files.createTempDirectory("kindling-resume-")
            : Files.createDirectories(Path.of(options.text("keep")));
    try {
      measure(results, options, folder);
    } finally {
      if (temporary) {
        delete(folder);
      }
    }
  }

  private void measure(Results results, BenchOptions options, Path folder) throws Exception {
    Path config = folder.resolve("resume-bench.yaml");
    Files.writeString(config, config(options), StandardCharsets.UTF_8);
    Path calm = folder.resolve("undisturbed");
    try (KindlingProcess process = KindlingProcess.train(config, calm)) {
      require(process.await() == 0, "the undisturbed run failed; see " + process.log());
    }
    int steps = options.count("steps");
    require(
        MetricsLog.read(calm.resolve("metrics.jsonl")).byStep().size() == steps,
        "expected one logged line per step");
    Random random = new Random(options.count("seed"));
    List<KillTarget> turns = List.of(KillTarget.WORKER, KillTarget.RANK_ZERO, KillTarget.DRIVER);
    for (int i = 0; i < options.count("runs"); i++) {
      KillMoment moment =
          KillMoment.of(random, turns.get(i % turns.size()), steps, CHECKPOINT_EVERY);
      Path disturbed = folder.resolve("run-" + (i + 1));
      results.note("run " + (i + 1) + ": " + moment + ": " + disturb(config, disturbed, moment));
      differences += compare(results, calm, disturbed);
      countRecomputed(disturbed);
    }
    kills.forEach((target, count) -> results.add("resume.kills." + target, count, "count"));
    results.add("resume.kills.missed", missed, "count");
    results.add("resume.steps_recomputed", recomputed, "count");
    results.add("resume.steps_recomputed_most", recomputedMost, "count");
    results.add("resume.differences", differences, "count");
    require(
        differences == 0 && missed == 0,
        differences + " differences, " + missed + " runs ended before their kill");
  }

  /** Runs once with one kill; returns what happened, in words. */
  private String disturb(Path config, Path runDir, KillMoment moment) throws Exception {
    int code;
    String killed;
    try (KindlingProcess process = KindlingProcess.train(config, runDir)) {
      killed = process.killAt(moment, runDir.resolve("metrics.jsonl"));
      code = process.await();
      process.awaitDescendants();
    }
    if (killed.isEmpty()) {
      missed++;
      return "ended before it could be killed";
    }
    kills.merge(killed, 1, Integer::sum);
    if (moment.target() == KillTarget.DRIVER) {
      try (KindlingProcess process = KindlingProcess.resume(runDir)) {
        code = process.await();
      }
    }
    differences += code == 0 ? 0 : 1;
    return killed
        + " killed, "
        + (code == 0 ? "recovered" : "exit code " + code + ", see " + runDir + ".log");
  }

  /** Number of steps with other bits, tensors with other bytes, and other cursors. */
  private static long compare(Results results, Path calm, Path disturbed) throws IOException {
    MetricsLog expected = MetricsLog.read(calm.resolve("metrics.jsonl"));
    MetricsLog found = MetricsLog.read(disturbed.resolve("metrics.jsonl"));
    long count = 0;
    TreeSet<Long> steps = new TreeSet<>(expected.byStep().keySet());
    steps.addAll(found.byStep().keySet());
    for (long step : steps) {
      Json.Obj ours = expected.byStep().get(step);
      Json.Obj theirs = found.byStep().get(step);
      boolean same =
          ours != null
              && theirs != null
              && sameBits(ours, theirs, "loss")
              && sameBits(ours, theirs, "grad_norm");
      count += same ? 0 : 1;
    }
    for (long step : expected.validation().keySet()) {
      Json.Obj ours = expected.validation().get(step);
      Json.Obj theirs = found.validation().get(step);
      count += ours != null && theirs != null && sameBits(ours, theirs, "val_loss") ? 0 : 1;
    }
    if (count > 0) {
      results.note("  " + count + " logged steps differ");
    }
    GenerationDiff diff = GenerationDiff.of(last(calm), last(disturbed));
    diff.first()
        .ifPresent(
            first -> results.note("  " + diff.differing() + " tensors differ, first " + first));
    if (diff.stateDiffers()) {
      results.note("  cursor or other state differs");
    }
    return count + diff.differing() + (diff.stateDiffers() ? 1 : 0);
  }

  private static boolean sameBits(Json.Obj left, Json.Obj right, String key) {
    return Double.doubleToRawLongBits(MetricsLog.number(left, key))
        == Double.doubleToRawLongBits(MetricsLog.number(right, key));
  }

  private static GenerationDiff.Side last(Path runDir) {
    CheckpointStore store =
        CheckpointStore.open(new LocalStorage(runDir.resolve("checkpoints")), 2);
    return new GenerationDiff.Side(
        store,
        store
            .newestValid(new ArrayList<>())
            .orElseThrow(() -> new IllegalStateException(runDir + ": no checkpoint")));
  }

  /** A step that was logged before and is logged again was computed twice. */
  private void countRecomputed(Path runDir) throws IOException {
    long again = MetricsLog.repeated(runDir.resolve("metrics.jsonl"));
    recomputed += again;
    recomputedMost = Math.max(recomputedMost, again);
  }

  private static void require(boolean holds, String what) {
    if (!holds) {
      throw new IllegalStateException("resume: " + what);
    }
  }

  private static String config(BenchOptions options) {
    String sources = KindlingProcess.home().resolve("worker/src/main/java").toString();
    return """
        model: {type: llama, width: 64, layers: 2, heads: 4, context: 128}
        data: {type: text, paths: ["%s"], validation_fraction: 0.1}
        optimizer: {type: adamw, lr: 3e-3}
        schedule: {type: cosine, warmup_steps: 5}
        steps: %d
        sequence_length: 128
        micro_batch: 2048
        global_batch: 8192
        ranks: 2
        threads: 1
        validation: {every_steps: 20, batches: 2}
        checkpoint: {every_steps: %d}
        log: {every_steps: 1}
        launcher: %s
        """
        .formatted(sources, options.count("steps"), CHECKPOINT_EVERY, options.text("launcher"));
  }

  private static void delete(Path folder) throws IOException {
    try (Stream<Path> walk = Files.walk(folder)) {
      for (Path path : walk.sorted(Comparator.reverseOrder()).toList()) {
        Files.deleteIfExists(path);
      }
    }
  }
}
