package dev.kindling.benchmarks;

import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Random;

/**
 * Kills runs and compares them with one that nobody disturbed: the bits of every step's loss and
 * gradient norm, every byte of weights and optimizer state in the last checkpoint, the data cursor,
 * and the ledger.
 *
 * <p>A run is killed several times, at seeded moments from step 1 on. Every second moment falls
 * into a save, some into the recovery from the kill before, the others anywhere. Targets take
 * turns: a worker and rank 0 (the same command must recover by itself) and the driver ({@code
 * resume}).
 *
 * <p>Options: {@code --kills N} (20), {@code --kills-per-run N} (10), {@code --world-changes N} (0;
 * otherwise {@link EpochRun}), {@code --launcher processes|spark} (spark), {@code --seed N}, {@code
 * --keep DIR} (default: a temporary folder that is deleted).
 */
final class ResumeBench implements Benchmark {
  static final int CHECKPOINT_EVERY = 5;

  private final KillFigures figures = new KillFigures();

  @Override
  public void run(Results results, List<String> arguments) throws Exception {
    BenchOptions options =
        BenchOptions.of(
            arguments,
            Map.of(
                "kills",
                "20",
                "kills-per-run",
                "10",
                "world-changes",
                "0",
                "launcher",
                "spark",
                "seed",
                "20261122",
                "keep",
                ""));
    try (WorkFolder folder = WorkFolder.of("kindling-resume-", options.text("keep"))) {
      if (options.count("world-changes") > 0) {
        new EpochRun(options, folder.path()).measure(results);
      } else {
        measure(results, options, folder.path());
      }
    }
  }

  private void measure(Results results, BenchOptions options, Path folder) throws Exception {
    int perRun = options.count("kills-per-run");
    Path config = folder.resolve("resume-bench.yaml");
    Files.writeString(config, config(options, KillMoment.steps(perRun)), StandardCharsets.UTF_8);
    Path calm = folder.resolve("undisturbed");
    try (KindlingProcess process = KindlingProcess.train(config, calm)) {
      KillFigures.require(process.await() == 0, "the undisturbed run failed; " + process.log());
    }
    KilledRun.KillTimes times = KillFigures.times(calm);
    results.note("undisturbed run: " + times);
    Random random = new Random(options.count("seed"));
    for (int done = 0; done < options.count("kills"); done += perRun) {
      int count = Math.min(perRun, options.count("kills") - done);
      Path disturbed = folder.resolve("run-" + (done / perRun + 1));
      KilledRun run = new KilledRun(config, disturbed, times, results::note);
      run.run(KillMoment.row(random, done, count, CHECKPOINT_EVERY));
      figures.add(count, run, RunComparison.of(calm, disturbed));
      results.note(disturbed.getFileName() + ": " + figures);
    }
    figures.report(results, "resume");
  }

  private static String config(BenchOptions options, int steps) {
    String sources = KindlingProcess.home().resolve("worker/src/main/java").toString();
    return """
        model: {type: llama, width: 64, layers: 2, heads: 4, context: 128}
        data: {type: text, paths: ["%s"], validation_fraction: 0.1}
        optimizer: {type: adamw, lr: 3e-3}
        schedule: {type: cosine, warmup_steps: 5}
        steps: %d
        sequence_length: 128
        micro_batch: 2048
        global_batch: 4096
        ranks: 2
        threads: 1
        validation: {every_steps: 20, batches: 2}
        checkpoint: {every_steps: %d}
        log: {every_steps: 1}
        launcher: %s
        """
        .formatted(sources, steps, CHECKPOINT_EVERY, options.text("launcher"));
  }
}
