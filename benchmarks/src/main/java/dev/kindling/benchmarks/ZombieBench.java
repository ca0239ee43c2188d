package dev.kindling.benchmarks;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.TimeUnit;

/**
 * Workers that are stopped (SIGSTOP) at a random moment, every second time in a save, and wake when
 * the run has gone on without them and made a commit: nothing that readers rely on may change.
 *
 * <p>Trials take turns. In one the whole host is suspended, driver and workers, and the run goes on
 * as on another host, where no lock of this one is seen: the woken driver must be refused. In the
 * other the driver is killed, and woken workers must go by themselves. What the newer run does is
 * stopped while the zombies are awake, so that every change is theirs.
 *
 * <p>Options: {@code --trials N} (20), {@code --seed N}, {@code --keep DIR} (default: a temporary
 * folder that is deleted).
 */
final class ZombieBench implements Benchmark {
  private static final int EVERY = ResumeBench.CHECKPOINT_EVERY;
  private static final int STEPS = 6 * KillMoment.STEPS_APART;
  private static final long POLL_MILLIS = 4;

  /** A stopped process is at rest by then. */
  private static final long REST_MILLIS = 50;

  private static final int FENCED = 4;
  private static final String REFUSAL =
      "fenced: this run holds epoch 1, a newer start of it took epoch 2";

  private int stoppedInSave;
  private int refused;
  private long changed;
  private long differences;

  @Override
  public void run(Results results, List<String> arguments) throws Exception {
    BenchOptions options =
        BenchOptions.of(arguments, Map.of("trials", "20", "seed", "20261127", "keep", ""));
    try (WorkFolder work = WorkFolder.of("kindling-zombies-", options.text("keep"))) {
      Path config = work.path().resolve("zombies.yaml");
      Files.writeString(config, config(), StandardCharsets.UTF_8);
      Path calm = work.path().resolve("undisturbed");
      try (KindlingProcess process = KindlingProcess.train(config, calm)) {
        KillFigures.require(process.await() == 0, "the undisturbed run failed; " + process.log());
      }
      KilledRun.KillTimes times = KillFigures.times(calm);
      Random random = new Random(options.count("seed"));
      int trials = options.count("trials");
      for (int trial = 0; trial < trials; trial++) {
        Path runDir = work.path().resolve("trial-" + (trial + 1));
        KillMoment.Window window =
            random.nextBoolean() ? KillMoment.Window.SAVE : KillMoment.Window.STEP;
        KillMoment moment =
            KillMoment.at(random, KillTarget.WORKER, window, random.nextInt(2), EVERY);
        results.note(trial(config, runDir, trial % 2 == 0, moment, times));
        differences += RunComparison.of(calm, runDir).total();
      }
      results.add("zombies.trials", trials, "count");
      results.add("zombies.stopped_in_a_save", stoppedInSave, "count");
      results.add("zombies.commits_refused", refused, "count");
      results.add("zombies.visible_changes", changed, "count");
      results.add("zombies.differences", differences, "count");
      KillFigures.require(changed == 0 && differences == 0, "zombies were seen");
    }
  }

  private String trial(
      Path config, Path runDir, boolean host, KillMoment moment, KilledRun.KillTimes times)
      throws IOException, InterruptedException {
    try (KindlingProcess older = KindlingProcess.train(config, runDir)) {
      RunWatch watch = new RunWatch(runDir);
      while (!watch.come(moment)) {
        KillFigures.require(!older.pause(POLL_MILLIS), "ended early; see " + older.log());
        watch.look();
      }
      long micros = Math.round(1000 * moment.place() * times.of(moment.window()));
      TimeUnit.MICROSECONDS.sleep(micros);
      suspend(older, host);
      stoppedInSave += watch.saving() ? 1 : 0;
      // The lock of another host would not be seen here.
      Files.deleteIfExists(runDir.resolve("run.lock"));
      try (KindlingProcess newer = KindlingProcess.resume(runDir)) {
        while (!watch.committedAfter(1)) {
          KillFigures.require(!newer.pause(POLL_MILLIS), "no newer commit; see " + newer.log());
        }
        suspend(newer, true);
        VisibleFolder visible = new VisibleFolder(runDir, 2);
        String end = wake(older, host);
        List<String> seen = visible.changed();
        changed += seen.size();
        for (ProcessHandle handle : processes(newer)) {
          KindlingProcess.signal("CONT", handle);
        }
        int code = newer.await();
        KillFigures.require(code == 0, "the newer run ended with " + code + "; " + newer.log());
        return runDir.getFileName() + ": stopped " + moment + ": " + end + ", changed: " + seen;
      }
    }
  }

  /** Stops the workers; the driver is stopped too, or killed. Returns when all are at rest. */
  private static void suspend(KindlingProcess process, boolean driverToo)
      throws IOException, InterruptedException {
    process.remember();
    for (ProcessHandle worker : process.workers()) {
      KindlingProcess.signal("STOP", worker);
    }
    if (driverToo) {
      KindlingProcess.signal("STOP", process.driver());
    } else {
      process.driver().destroyForcibly();
    }
    TimeUnit.MILLISECONDS.sleep(REST_MILLIS);
  }

  private static List<ProcessHandle> processes(KindlingProcess process) {
    List<ProcessHandle> all = new ArrayList<>(process.workers());
    all.add(process.driver());
    return all;
  }

  /** Wakes what was suspended and waits for its end; returns how it ended. */
  private String wake(KindlingProcess older, boolean host)
      throws IOException, InterruptedException {
    for (ProcessHandle handle : older.remembered()) {
      KindlingProcess.signal("CONT", handle);
    }
    if (!host) {
      older.awaitDescendants();
      return "workers without a driver ended by themselves";
    }
    KindlingProcess.signal("CONT", older.driver());
    int code = older.await();
    older.awaitDescendants();
    String said = Files.readString(older.log(), StandardCharsets.UTF_8);
    KillFigures.require(
        code == FENCED && said.contains(REFUSAL), "not refused (" + code + "); " + older.log());
    refused++;
    return "refused with exit code " + code;
  }

  private static String config() {
    String sources = KindlingProcess.home().resolve("worker/src/main/java").toString();
    return """
        model: {type: llama, width: 32, layers: 2, heads: 2, context: 64}
        data: {type: text, paths: ["%s"], validation_fraction: 0}
        optimizer: {type: adamw, lr: 3e-3}
        steps: %d
        sequence_length: 64
        micro_batch: 1024
        global_batch: 4096
        ranks: 2
        threads: 1
        checkpoint: {every_steps: %d}
        log: {every_steps: 1}
        launcher: processes
        """
        .formatted(sources, STEPS, EVERY);
  }
}
