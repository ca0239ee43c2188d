package dev.kindling.benchmarks;

import dev.kindling.worker.ledger.LedgerAttempt;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.function.Consumer;

/** One run that is killed again and again, and goes on each time until it is done. */
final class KilledRun {
  private static final long POLL_MILLIS = 4;
  private static final double NANOS = 1e9;

  /** Exit code of a command that SIGTERM stopped after a last checkpoint. */
  private static final int TERMINATED = 143;

  private final Path config;
  private final Path runDir;
  private final KillTimes times;
  private final Consumer<String> progress;
  private final RunWatch watch;
  private final List<Kill> kills = new ArrayList<>();
  private final List<KindlingProcess> processes = new ArrayList<>();
  private Optional<Kill> pending = Optional.empty();
  private String[] sets;
  private int commandsFailed;

  /** How long things take, in milliseconds, to place moments in them. */
  record KillTimes(double step, double save, double recovery) {
    double of(KillMoment.Window window) {
      return switch (window) {
        case STEP -> step;
        case SAVE -> 2 * save;
        case RECOVERY -> recovery;
      };
    }
  }

  /** What one kill did. Figures are negative as long as they are unknown. */
  static final class Kill {
    private final String victim;
    private final boolean inSave;
    private final long nanos;
    private final long attempt;
    private double seconds = -1;
    private long recomputed = -1;

    Kill(String victim, boolean inSave, long attempt) {
      this.victim = victim;
      this.inSave = inSave;
      this.attempt = attempt;
      this.nanos = System.nanoTime();
    }

    /**
     * {@code driver}, {@code stopped_driver}, {@code rank0}, {@code worker} or {@code
     * starting_worker}.
     */
    String victim() {
      return victim;
    }

    /** Whether parts were there that no commit named yet. */
    boolean inSave() {
      return inSave;
    }

    /** From the kill to the first new step, seen from outside; negative if killed again before. */
    double seconds() {
      return seconds;
    }

    /** Steps computed again after it; negative if unknown. */
    long recomputed() {
      return recomputed;
    }
  }

  /**
   * @param progress one line for each kill
   * @param sets {@code path=value} for the first command
   */
  KilledRun(Path config, Path runDir, KillTimes times, Consumer<String> progress, String... sets) {
    this.config = config;
    this.runDir = runDir;
    this.times = times;
    this.progress = progress;
    this.sets = sets;
    this.watch = new RunWatch(runDir);
  }

  /** Runs to the end, whatever that takes; leaves no process behind. */
  void run(List<KillMoment> moments) throws IOException, InterruptedException {
    try {
      KindlingProcess process = started(KindlingProcess.train(config, runDir, sets));
      for (KillMoment moment : moments) {
        Optional<Kill> kill = strike(process, moment);
        if (kill.isEmpty() && process.await() == 0) {
          break;
        }
        kill.ifPresent(kills::add);
        pending = kill;
        if (kill.isEmpty() || moment.target().endsCommand()) {
          commandsFailed += kill.isEmpty() ? 1 : 0;
          int code = process.await();
          commandsFailed += moment.target() == KillTarget.STOP && code != TERMINATED ? 1 : 0;
          sets = moment.ranks() == 0 ? new String[0] : new String[] {"ranks=" + moment.ranks()};
          process = started(KindlingProcess.resume(runDir, sets));
        }
      }
      while (!process.pause(POLL_MILLIS)) {
        look();
      }
      commandsFailed += process.await() == 0 ? 0 : 1;
      for (KindlingProcess ended : processes) {
        ended.awaitDescendants();
      }
    } finally {
      processes.forEach(KindlingProcess::close);
    }
  }

  private KindlingProcess started(KindlingProcess process) {
    processes.add(process);
    return process;
  }

  List<Kill> kills() {
    return kills;
  }

  /** Commands that ended with a failure without having been killed. */
  int commandsFailed() {
    return commandsFailed;
  }

  /** Waits for the moment and kills; empty if the command ended before. */
  private Optional<Kill> strike(KindlingProcess process, KillMoment moment)
      throws IOException, InterruptedException {
    boolean recovery = moment.window() == KillMoment.Window.RECOVERY;
    while (!recovery && (pending.isPresent() || !watch.come(moment))) {
      if (process.pause(POLL_MILLIS)) {
        return Optional.empty();
      }
      look();
    }
    long micros = Math.round(1000 * moment.place() * times.of(moment.window()));
    java.util.concurrent.TimeUnit.MICROSECONDS.sleep(micros);
    Optional<ProcessHandle> victim = victim(process, moment.target());
    while (victim.isEmpty()) {
      if (process.pause(POLL_MILLIS)) {
        return Optional.empty();
      }
      victim = victim(process, moment.target());
    }
    String name =
        moment.target() == KillTarget.STOP ? "stopped_driver" : name(process, victim.get());
    process.remember();
    look();
    Kill kill = new Kill(name, watch.saving(), watch.attempt());
    if (moment.target() == KillTarget.STOP) {
      KindlingProcess.signal("TERM", victim.get());
    } else {
      victim.get().destroyForcibly();
    }
    progress.accept(
        String.format(
            Locale.ROOT,
            "kill %d of %s: %s: %s%s, attempt %d, step %d",
            kills.size() + 1,
            runDir.getFileName(),
            moment,
            name,
            kill.inSave() ? " (a save was under way)" : "",
            watch.attempt(),
            watch.lastStep()));
    return Optional.of(kill);
  }

  /** A worker need not be at work yet: then any will do. */
  private static Optional<ProcessHandle> victim(KindlingProcess process, KillTarget target) {
    if (target.endsCommand()) {
      return Optional.of(process.driver()).filter(ProcessHandle::isAlive);
    }
    Optional<ProcessHandle> any = Optional.empty();
    for (ProcessHandle worker : process.workers()) {
      OptionalInt rank = KindlingProcess.rankOf(worker);
      boolean first = rank.isPresent() && rank.getAsInt() == 0;
      if (rank.isPresent() && first == (target == KillTarget.RANK_ZERO)) {
        return Optional.of(worker);
      }
      any = Optional.of(worker);
    }
    return any.filter(ProcessHandle::isAlive);
  }

  private static String name(KindlingProcess process, ProcessHandle victim) {
    if (victim.equals(process.driver())) {
      return "driver";
    }
    OptionalInt rank = KindlingProcess.rankOf(victim);
    return rank.isEmpty() ? "starting_worker" : rank.getAsInt() == 0 ? "rank0" : "worker";
  }

  /** Notes when a killed run is back at work. */
  private void look() throws IOException {
    watch.look();
    if (pending.isPresent() && watch.attempt() > pending.get().attempt) {
      Kill kill = pending.get();
      kill.seconds = (System.nanoTime() - kill.nanos) / NANOS;
      kill.recomputed = LedgerAttempt.recomputed(LedgerAttempt.read(runDir));
      pending = Optional.empty();
    }
  }
}
