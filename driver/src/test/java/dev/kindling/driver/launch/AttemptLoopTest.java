package dev.kindling.driver.launch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kindling.worker.checkpoint.Epochs;
import dev.kindling.worker.event.EventSink;
import dev.kindling.worker.event.LogLine;
import dev.kindling.worker.event.WorkerEvent;
import dev.kindling.worker.launch.AttemptFailedException;
import dev.kindling.worker.launch.FailureKind;
import dev.kindling.worker.launch.Launcher;
import dev.kindling.worker.loop.StopRequest;
import dev.kindling.worker.loop.StopSignal;
import dev.kindling.worker.loop.WorkerAssignment;
import dev.kindling.worker.loop.WorkerResult;
import dev.kindling.worker.plan.PlanReader;
import dev.kindling.worker.store.LocalStorage;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Deque;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

class AttemptLoopTest {
  /** Fails as the script says, then succeeds. */
  private static final class ScriptedLauncher implements Launcher {
    private final Deque<FailureKind> script;
    private final List<WorkerAssignment> seen = new ArrayList<>();
    private final List<Integer> ranksSeen = new ArrayList<>();
    private int slots = Integer.MAX_VALUE;

    ScriptedLauncher(FailureKind... script) {
      this.script = new ArrayDeque<>(Arrays.asList(script));
    }

    @Override
    public List<WorkerResult> run(
        WorkerAssignment assignment, int ranks, EventSink events, StopSignal stop) {
      seen.add(assignment);
      ranksSeen.add(ranks);
      FailureKind kind = script.poll();
      if (kind != null) {
        throw new AttemptFailedException(kind, 0, "scripted", null);
      }
      return List.of(new WorkerResult(0, 10, false, "c"));
    }

    @Override
    public int slots() {
      return slots;
    }

    @Override
    public void close() {}
  }

  private static final class Notes implements RunObserver {
    private final List<String> lines = new ArrayList<>();

    @Override
    public void attemptStarts(int attempt) {
      lines.add("start " + attempt);
    }

    @Override
    public void attemptFailed(int attempt, AttemptFailedException failure, boolean retried) {
      lines.add((retried ? "retry " : "give up ") + attempt);
    }

    @Override
    public void ranksReduced(int nextAttempt, int before, int now) {
      lines.add("reduced " + nextAttempt + " from " + before + " to " + now);
    }

    @Override
    public void emit(WorkerEvent event) {
      lines.add(event.toString());
    }
  }

  @TempDir private Path folder;
  private final Notes notes = new Notes();

  private Epochs epochs() {
    return new Epochs(new LocalStorage(folder));
  }

  private AttemptLoop loop(Launcher launcher, StopSignal stop, int retries) {
    return loop(launcher, stop, retries, "a: 1", 1);
  }

  private AttemptLoop loop(
      Launcher launcher, StopSignal stop, int retries, String config, int ranks) {
    return new AttemptLoop(
        launcher,
        new AttemptTerms(config, "/run", "/data", "", ranks, Duration.ofMinutes(1), 5),
        new EpochClaim(epochs(), Duration.ofMillis(10)),
        notes,
        stop,
        new RetryBudget(retries, Duration.ofHours(1)));
  }

  @Test
  void eachAttemptHasItsOwnNumberEpochAndSecret() throws Exception {
    for (int other = 1; other <= 40; other++) {
      epochs().claim();
    }
    var launcher = new ScriptedLauncher(FailureKind.COMMUNICATION, FailureKind.UNEXPECTED);
    assertThat(loop(launcher, StopSignal.NEVER, 3).run()).hasSize(1);
    assertThat(launcher.seen).extracting(WorkerAssignment::attempt).containsExactly(5, 6, 7);
    assertThat(launcher.seen).extracting(WorkerAssignment::epoch).containsExactly(41L, 42L, 43L);
    assertThat(launcher.seen.get(0).secret()).isNotEqualTo(launcher.seen.get(1).secret());
    assertThat(notes.lines).containsExactly("start 5", "retry 5", "start 6", "retry 6", "start 7");
  }

  @ParameterizedTest
  @EnumSource(FailureKind.class)
  void theUsersErrorsAreNeverRetried(FailureKind kind) throws InterruptedException {
    var launcher = new ScriptedLauncher(kind);
    if (kind.exitCode() >= 2 && kind.exitCode() <= 4) {
      assertThatThrownBy(() -> loop(launcher, StopSignal.NEVER, 3).run())
          .isInstanceOf(AttemptFailedException.class);
      assertThat(notes.lines).containsExactly("start 5", "give up 5");
    } else {
      assertThat(loop(launcher, StopSignal.NEVER, 3).run()).hasSize(1);
    }
  }

  @Test
  void theBudgetEnds() {
    var launcher = new ScriptedLauncher(FailureKind.DEVICE, FailureKind.DEVICE, FailureKind.DEVICE);
    assertThatThrownBy(() -> loop(launcher, StopSignal.NEVER, 2).run())
        .isInstanceOf(AttemptFailedException.class);
    assertThat(launcher.seen).hasSize(3);
  }

  private static String four(String more) {
    return PlanReader.toYaml(
        PlanReader.fromYaml(
            """
            model: {type: llama, width: 32, layers: 1, heads: 2, context: 64}
            data: {type: text, paths: [corpus.txt]}
            optimizer: {type: adamw, lr: 3e-3}
            steps: 10
            sequence_length: 64
            micro_batch: 64
            global_batch: 512
            ranks: 4
            """
                + more));
  }

  /** Three slots are left of four; three ranks do not divide the batch. */
  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "recovery: {min_ranks: 2} | 2",
        "recovery: {min_ranks: 1} | 2",
        "determinism: exact | 2",
        "recovery: {min_ranks: 3} | 4",
        "determinism: replay | 4"
      })
  void fewerRanksGoOnOnlyWhereTheyMay(String more, int expected) throws InterruptedException {
    var launcher = new ScriptedLauncher(FailureKind.LOST_WORKER, FailureKind.LOST_SLOTS);
    launcher.slots = 3;
    loop(launcher, StopSignal.NEVER, 3, four(more), 4).run();
    assertThat(launcher.ranksSeen).containsExactly(4, 4, expected);
    if (expected == 2) {
      assertThat(notes.lines).containsOnlyOnce("reduced 7 from 4 to 2");
      assertThat(PlanReader.fromYaml(launcher.seen.get(2).configYaml()).ranks()).isEqualTo(2);
      assertThat(PlanReader.fromYaml(launcher.seen.get(2).configYaml()).globalBatch())
          .isEqualTo(512);
    } else {
      assertThat(launcher.seen.get(2).configYaml()).isEqualTo(four(more));
    }
  }

  @Test
  void slotsThatCameBackAreUsed() throws InterruptedException {
    var launcher = new ScriptedLauncher(FailureKind.LOST_SLOTS);
    launcher.slots = 4;
    loop(launcher, StopSignal.NEVER, 3, four("recovery: {min_ranks: 1}"), 4).run();
    assertThat(launcher.ranksSeen).containsExactly(4, 4);
  }

  @Test
  void aRunThatShouldStopIsNotRetried() {
    var launcher = new ScriptedLauncher(FailureKind.COMMUNICATION);
    assertThatThrownBy(() -> loop(launcher, () -> StopRequest.CHECKPOINT_AND_STOP, 3).run())
        .isInstanceOf(AttemptFailedException.class);
    assertThat(launcher.seen).hasSize(1);
  }

  /** Another driver takes the run over while the ranks work; then they end as the script says. */
  private final class TakenOver implements Launcher {
    private final boolean untilInterrupted;
    private int attempts;

    TakenOver(boolean untilInterrupted) {
      this.untilInterrupted = untilInterrupted;
    }

    private void takeOver() {
      try {
        epochs().claim();
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }

    @Override
    public List<WorkerResult> run(
        WorkerAssignment assignment, int ranks, EventSink events, StopSignal stop)
        throws InterruptedException {
      attempts++;
      // On a thread of its own: the interrupt of this one may come before the file is closed.
      CompletableFuture.runAsync(this::takeOver).join();
      if (untilInterrupted) {
        TimeUnit.HOURS.sleep(1);
      }
      throw new AttemptFailedException(FailureKind.COMMUNICATION, 0, "scripted", null);
    }

    @Override
    public void close() {}
  }

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void aDriverWhoseRunWasTakenOverEndsAndNeverClaimsAgain(boolean untilInterrupted)
      throws IOException {
    var launcher = new TakenOver(untilInterrupted);
    assertThatThrownBy(() -> loop(launcher, StopSignal.NEVER, 3).run())
        .isInstanceOfSatisfying(
            AttemptFailedException.class,
            e -> assertThat(e.kind()).isEqualTo(FailureKind.CHECKPOINT))
        .hasMessageContaining("fenced: this run holds epoch 1, a newer start of it took epoch 2");
    assertThat(launcher.attempts).isEqualTo(1);
    assertThat(epochs().highest()).isEqualTo(2);
    assertThat(Thread.interrupted()).isFalse();
  }

  /** A worker of the first attempt that goes on talking while the second one runs. */
  private static final class Talkative implements Launcher {
    private final AtomicBoolean over = new AtomicBoolean();
    private final Thread zombie = new Thread(this::talk);
    private volatile EventSink first = event -> {};

    private void talk() {
      while (!over.get()) {
        first.emit(new LogLine(0, LogLine.Level.INFO, "zombie"));
      }
    }

    @Override
    public List<WorkerResult> run(
        WorkerAssignment assignment, int ranks, EventSink events, StopSignal stop)
        throws InterruptedException {
      if (assignment.attempt() == 5) {
        first = events;
        zombie.start();
        TimeUnit.MILLISECONDS.sleep(1);
        throw new AttemptFailedException(FailureKind.LOST_WORKER, 0, "scripted", null);
      }
      events.emit(new LogLine(0, LogLine.Level.INFO, "well"));
      TimeUnit.MILLISECONDS.sleep(1);
      return List.of(new WorkerResult(0, 10, false, "c"));
    }

    @Override
    public void close() {
      over.set(true);
    }
  }

  @Test
  void whatAWorkerOfAnOlderAttemptSaysReachesNobody() throws InterruptedException {
    for (int trial = 0; trial < 200; trial++) {
      notes.lines.clear();
      Talkative launcher = new Talkative();
      loop(launcher, StopSignal.NEVER, 3).run();
      launcher.close();
      launcher.zombie.join();
      List<String> second = notes.lines.subList(notes.lines.indexOf("start 6"), notes.lines.size());
      assertThat(second).hasSize(2).last().asString().contains("well");
    }
  }

  @Test
  void retriesComeBackWhenTheWindowHasPassed() {
    RetryBudget.Account account = new RetryBudget(2, Duration.ofNanos(100)).open();
    assertThat(account.take(0)).isTrue();
    assertThat(account.take(50)).isTrue();
    assertThat(account.take(99)).isFalse();
    assertThat(account.take(100)).isTrue();
    assertThat(account.take(149)).isFalse();
    assertThat(account.take(150)).isTrue();
  }
}
