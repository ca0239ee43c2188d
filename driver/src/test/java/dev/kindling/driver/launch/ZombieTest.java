package dev.kindling.driver.launch;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kindling.worker.checkpoint.CheckpointException;
import dev.kindling.worker.checkpoint.CheckpointStore;
import dev.kindling.worker.checkpoint.Epochs;
import dev.kindling.worker.checkpoint.Generation;
import dev.kindling.worker.checkpoint.TinyRun;
import dev.kindling.worker.event.EventSink;
import dev.kindling.worker.event.report.MetricsLog;
import dev.kindling.worker.launch.AttemptFailedException;
import dev.kindling.worker.launch.FailureKind;
import dev.kindling.worker.launch.Launcher;
import dev.kindling.worker.ledger.LedgerHistory;
import dev.kindling.worker.ledger.LedgerStep;
import dev.kindling.worker.loop.StopSignal;
import dev.kindling.worker.loop.WorkerAssignment;
import dev.kindling.worker.loop.WorkerResult;
import dev.kindling.worker.store.LocalStorage;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import java.util.Random;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * A worker that was given up wakes when the next attempt has made a commit, and goes on as if
 * nothing had happened: not a byte that anybody relies on changes, and its commit is refused.
 */
class ZombieTest {
  private static final int STEPS = 24;
  private static final int TRIALS = 200;
  private static final int QUICK_TRIALS = 20;

  @TempDir private Path folder;
  private final long seed = Long.getLong("seed", 20261127);

  /** Gives up the first attempt where its gate stands, and lets it wake within the second. */
  private final class Replacing implements Launcher {
    private final Gate gate;
    private final long wakeAfter;
    private final CompletableFuture<@Nullable Throwable> end = new CompletableFuture<>();

    Replacing(int stopAt, long wakeAfter) {
      this.gate = new Gate(stopAt);
      this.wakeAfter = wakeAfter;
    }

    @Override
    public List<WorkerResult> run(
        WorkerAssignment assignment, int ranks, EventSink events, StopSignal stop)
        throws InterruptedException {
      if (assignment.attempt() == 1) {
        Thread zombie = new Thread(() -> end.complete(runAll(assignment, events)), "zombie");
        zombie.setDaemon(true);
        zombie.start();
        gate.awaitHeld();
        throw new AttemptFailedException(FailureKind.LOST_WORKER, 0, "rank 0 hangs", null);
      }
      try (ScriptedRank fresh = new ScriptedRank(assignment, events, new Gate(0))) {
        long firstSave = fresh.step() / ScriptedRank.SAVE_EVERY * ScriptedRank.SAVE_EVERY;
        fresh.runTo(firstSave + ScriptedRank.SAVE_EVERY + wakeAfter);
        fresh.flush();
        Path runDir = Path.of(assignment.runDir());
        VisibleRun before = VisibleRun.of(runDir, assignment.epoch());
        gate.open();
        assertRefused(end.join());
        assertThat(VisibleRun.of(runDir, assignment.epoch()).differences(before)).isEmpty();
        fresh.runTo(STEPS);
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
      return List.of(new WorkerResult(0, STEPS, false, ""));
    }

    private @Nullable Throwable runAll(WorkerAssignment assignment, EventSink events) {
      try (ScriptedRank rank = new ScriptedRank(assignment, events, gate)) {
        rank.runTo(Long.MAX_VALUE);
        return null;
      } catch (RuntimeException refused) {
        return refused;
      }
    }

    @Override
    public void close() {}
  }

  private static void assertRefused(@Nullable Throwable end) {
    assertThat(end)
        .isInstanceOf(CheckpointException.class)
        .hasMessageContaining("fenced: this run holds epoch 1, a newer start of it took epoch 2");
  }

  private Path newRun(String name) throws IOException {
    return Files.createDirectories(folder.resolve(name));
  }

  private static void train(Launcher launcher, Path runDir)
      throws IOException, InterruptedException {
    AttemptTerms terms =
        new AttemptTerms("a: 1", runDir.toString(), "/data", "", 1, Duration.ofMinutes(1), 1);
    Epochs epochs = new Epochs(new LocalStorage(runDir.resolve("checkpoints")));
    try (MetricsFile metrics = MetricsFile.open(runDir.resolve("metrics.jsonl"));
        HistoryFile history = HistoryFile.open(runDir, Clock.systemUTC());
        EventFiles events =
            new EventFiles(
                runDir.resolve("events"), metrics.steps(), Clock.systemUTC(), text -> {})) {
      RunObserver all = new ObserverPair(metrics, new ObserverPair(history, events));
      EpochClaim claim = new EpochClaim(epochs, Duration.ofMinutes(1));
      new AttemptLoop(launcher, terms, claim, all, StopSignal.NEVER, RetryBudget.DEFAULT).run();
    }
  }

  private static void assertUndisturbed(Path runDir) throws IOException {
    Map<Long, Double> expected = new TreeMap<>();
    Map<Long, Double> found = new TreeMap<>();
    MetricsLog.read(runDir.resolve("metrics.jsonl"))
        .byStep()
        .forEach((step, line) -> found.put(step, MetricsLog.number(line, "loss")));
    LedgerHistory ledger = LedgerHistory.read(runDir);
    assertThat(ledger.damages()).isEmpty();
    for (long step = 1; step <= STEPS; step++) {
      expected.put(step, (double) ScriptedRank.loss(step));
      int bits = Float.floatToIntBits(ScriptedRank.loss(step));
      LedgerStep line = java.util.Objects.requireNonNull(ledger.steps().get(step));
      OptionalLong samples = OptionalLong.of(ScriptedRank.samples(step));
      assertThat(line.difference(new LedgerStep(step, bits, bits, samples, 0))).isEmpty();
    }
    assertThat(found).isEqualTo(expected);
    List<String> refusals = new ArrayList<>();
    CheckpointStore store = TinyRun.open(new LocalStorage(runDir.resolve("checkpoints")));
    Generation newest = store.newestValid(refusals).orElseThrow();
    assertThat(refusals).isEmpty();
    assertThat(newest.id()).isEqualTo("e%010d-s%012d".formatted(2, STEPS));
  }

  /** Acts of a rank that does two thirds of a run alone. */
  private int acts() throws IOException {
    Path runDir = newRun("counted");
    long epoch = new Epochs(new LocalStorage(runDir.resolve("checkpoints"))).claim();
    Gate counting = new Gate(0);
    WorkerAssignment alone =
        new WorkerAssignment("a: 1", runDir.toString(), "/data", 1, epoch, "", new byte[32]);
    try (ScriptedRank rank = new ScriptedRank(alone, event -> {}, counting)) {
      rank.runTo(STEPS * 2 / 3);
    }
    return counting.passed();
  }

  private void trials(int count) throws IOException, InterruptedException {
    Random random = new Random(seed);
    int acts = acts();
    for (int trial = 1; trial <= count; trial++) {
      int stopAt = 1 + random.nextInt(acts);
      Replacing launcher = new Replacing(stopAt, random.nextInt(ScriptedRank.SAVE_EVERY));
      Path runDir = newRun("trial-" + trial);
      try {
        train(launcher, runDir);
        assertUndisturbed(runDir);
      } catch (AssertionError | RuntimeException failed) {
        throw new AssertionError(
            "-Dseed=%d, trial %d, stopped at act %d: %s"
                .formatted(seed, trial, stopAt, launcher.gate.heldAt()),
            failed);
      }
    }
  }

  @Test
  void nothingThatItDoesIsSeenAndItsCommitIsRefused() throws Exception {
    trials(QUICK_TRIALS);
  }

  @Tag("long")
  @Test
  void nothingThatItDoesIsEverSeen() throws Exception {
    trials(TRIALS);
  }
}
