package dev.kindling.driver.launch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kindling.worker.event.Heartbeat;
import dev.kindling.worker.event.LogLine;
import dev.kindling.worker.event.Phase;
import dev.kindling.worker.event.PhaseEntered;
import dev.kindling.worker.event.StepDone;
import dev.kindling.worker.event.WorkerEvent;
import dev.kindling.worker.launch.AttemptFailedException;
import dev.kindling.worker.launch.FailureKind;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** On a clock of its own: a look lets as much time pass as it is told. */
class HangWatchTest {
  private final List<WorkerEvent> seen = new ArrayList<>();
  private final HangWatch watch =
      new HangWatch(HangLimits.of(Duration.ofSeconds(60)), 2, seen::add, Thread.currentThread());
  private final long[] moves = new long[2];

  @AfterEach
  void noInterruptStaysBehind() {
    watch.close();
    assertThat(Thread.interrupted()).isFalse();
  }

  private void enter(int rank, Phase phase, long step) {
    watch.emit(new PhaseEntered(rank, phase, step, ""));
  }

  private void beat(int rank, Phase phase, long step) {
    watch.emit(new Heartbeat(rank, phase, step, moves[rank]));
  }

  private void step(long step, double millis) {
    for (int rank = 0; rank < 2; rank++) {
      moves[rank]++;
      beat(rank, Phase.TRAIN, step);
    }
    watch.emit(new StepDone(0, step, 0, 0f, 0f, 0, millis, 0, 0, 0, 0, false));
  }

  /** Both ranks train and finished step 7. */
  private void train(double stepMillis) {
    for (int rank = 0; rank < 2; rank++) {
      enter(rank, Phase.TRAIN, 6);
      beat(rank, Phase.TRAIN, 6);
    }
    step(7, stepMillis);
  }

  /** Looks once a second; these ranks beat and get nothing done. */
  private List<String> pass(int seconds, Phase phase, long step, int... beating) {
    List<String> told = new ArrayList<>();
    for (int second = 0; second < seconds; second++) {
      for (int rank : beating) {
        beat(rank, phase, step);
      }
      LogLine line = watch.look(1_000);
      if (line != null) {
        told.add(line.rank() + " " + line.text());
      }
    }
    return told;
  }

  @Test
  void aStoppedRankIsReportedOnceAndAShortPauseIsForgiven() {
    train(300);
    assertThat(pass(8, Phase.TRAIN, 7, 0)).isEmpty();
    assertThat(pass(22, Phase.TRAIN, 7, 0))
        .containsExactly(
            "1 no progress (replaced after 60 s, recovery.hang_timeout):"
                + " rank 0: train, step 7, alive, no progress for 9 s;"
                + " rank 1: train, step 7, silent for 9 s");
    step(8, 300);
    assertThat(pass(1, Phase.TRAIN, 8, 0, 1)).singleElement().asString().contains("again, 22 s");
    watch.check();
  }

  @Test
  void aStoppedRankEndsTheAttemptAndIsNamed() {
    train(300);
    pass(59, Phase.TRAIN, 7, 0);
    watch.check();
    pass(1, Phase.TRAIN, 7, 0);
    assertThatThrownBy(watch::check)
        .isInstanceOfSatisfying(
            AttemptFailedException.class,
            failed -> {
              assertThat(failed.kind()).isEqualTo(FailureKind.LOST_WORKER);
              assertThat(failed.rank()).isEqualTo(1);
            })
        .hasMessage(
            "rank 1 hangs or its host is gone (recovery.hang_timeout 60 s):"
                + " rank 0: train, step 7, alive, no progress for 60 s;"
                + " rank 1: train, step 7, silent for 60 s");
    assertThat(Thread.currentThread().isInterrupted()).isTrue();
  }

  /** As when a kernel never ends: the process is well. */
  @Test
  void ranksThatBeatAndNeverFinishAStepHangToo() {
    train(300);
    pass(60, Phase.TRAIN, 7, 0, 1);
    assertThatThrownBy(watch::check)
        .isInstanceOfSatisfying(
            AttemptFailedException.class,
            failed -> assertThat(failed.kind()).isEqualTo(FailureKind.COMMUNICATION))
        .hasMessageContaining("makes no progress");
  }

  @Test
  void slowStepsGetThreeTimesTheirTime() {
    train(40_000);
    assertThat(pass(119, Phase.TRAIN, 7, 0, 1)).isEmpty();
    watch.check();
    pass(1, Phase.TRAIN, 7, 0, 1);
    assertThatThrownBy(watch::check).hasMessageContaining("makes no progress");
  }

  @Test
  void phasesWithoutStepsAreJudgedByTheBeatAlone() {
    train(300);
    enter(0, Phase.CHECKPOINT, 7);
    enter(1, Phase.CHECKPOINT, 7);
    assertThat(pass(500, Phase.CHECKPOINT, 7, 0, 1)).isEmpty();
    watch.check();
    assertThat(pass(59, Phase.CHECKPOINT, 7, 1)).singleElement().asString().startsWith("0 no pro");
    pass(1, Phase.CHECKPOINT, 7, 1);
    assertThatThrownBy(watch::check).hasMessageContaining("rank 0: checkpoint, step 7, silent");
  }

  @Test
  void aFinishedRankIsNotMissedAndNobodyIsBeforeTheFirstWord() {
    assertThat(pass(3_600, Phase.TRAIN, 0)).isEmpty();
    train(300);
    enter(1, Phase.DONE, 8);
    for (int second = 0; second < 100; second++) {
      moves[0]++;
      assertThat(pass(1, Phase.TRAIN, 8 + second, 0)).isEmpty();
    }
    watch.check();
  }

  @Test
  void heartbeatsAreKeptBackAndWordsAfterTheEndReachNobody() {
    train(300);
    assertThat(seen).hasSize(3).noneMatch(Heartbeat.class::isInstance);
    watch.close();
    enter(0, Phase.CHECKPOINT, 7);
    step(8, 300);
    assertThat(seen).hasSize(3);
  }
}
