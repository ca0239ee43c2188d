package dev.kindling.driver.launch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kindling.driver.plugin.RankEnded;
import dev.kindling.driver.plugin.RankStarted;
import dev.kindling.worker.event.LogLine;
import dev.kindling.worker.event.WorkerEvent;
import dev.kindling.worker.launch.AttemptFailedException;
import dev.kindling.worker.launch.FailureKind;
import dev.kindling.worker.loop.StopSignal;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

class RankLedgerTest {
  private final List<WorkerEvent> seen = new ArrayList<>();
  private final AtomicInteger cancelled = new AtomicInteger();
  private final RankLedger ledger =
      new RankLedger(seen::add, StopSignal.NEVER, cancelled::incrementAndGet);

  private static WorkerEvent line(int rank, int number) {
    return new LogLine(rank, LogLine.Level.INFO, "line " + number);
  }

  @Test
  void aReportThatIsToldAgainCountsOnce() {
    List<WorkerEvent> report = List.of(line(0, 0), line(0, 1));
    ledger.events(0, 0, report);
    ledger.events(0, 0, report);
    ledger.events(1, 0, List.of(line(1, 0)));
    ledger.events(0, 2, List.of(line(0, 2)));
    ledger.events(0, 0, report);
    assertThat(seen).containsExactly(line(0, 0), line(0, 1), line(1, 0), line(0, 2));
  }

  @Test
  void droppedEventsAreSaid() {
    ledger.events(0, 0, List.of(line(0, 0)));
    ledger.events(0, 5, List.of(line(0, 5)));
    assertThat(seen)
        .containsExactly(
            line(0, 0),
            new LogLine(0, LogLine.Level.WARN, "4 events were dropped, the driver was too slow"),
            line(0, 5));
  }

  @Test
  void whatCannotBeRecordedCancelsTheLaunchOnceAndIsItsFailure() {
    RankLedger full =
        new RankLedger(
            event -> {
              throw new IllegalStateException("no space left");
            },
            StopSignal.NEVER,
            cancelled::incrementAndGet);
    full.requireRecorded();
    full.events(0, 0, List.of(line(0, 0), line(0, 1)));
    assertThat(cancelled).hasValue(1);
    assertThatThrownBy(full::requireRecorded)
        .isInstanceOf(AttemptFailedException.class)
        .hasMessageContaining("no space left");
    assertThat(full.failure(new IllegalStateException("job cancelled")))
        .hasMessageContaining("no space left");
  }

  private void start(int rank) {
    ledger.started(new RankStarted("run", rank, "executor-" + rank, "host-" + rank, 1, ""));
  }

  @Test
  void ranksThatNeitherEndedNorSpokeAreSilent() {
    start(0);
    start(1);
    start(2);
    assertThat(ledger.silent(600_000)).isEmpty();
    ledger.ended(new RankEnded("run", 0, "", "", ""));
    ledger.lostExecutor("executor-1");
    assertThat(ledger.silent(0)).extracting(RankStarted::rank).containsExactly(2);
  }

  @Test
  void aHostIsBlamedForItsDeadWorkerOrDeviceAndNotForALostPeer() {
    start(0);
    start(1);
    ledger.lostExecutor("executor-1");
    assertThat(ledger.blamedHost(failure(FailureKind.COMMUNICATION, 1))).contains("host-1");
    assertThat(ledger.blamedHost(failure(FailureKind.COMMUNICATION, 0))).isEmpty();
    assertThat(ledger.blamedHost(failure(FailureKind.DEVICE, 0))).contains("host-0");
    assertThat(ledger.blamedHost(failure(FailureKind.UNEXPECTED, -1))).isEmpty();
  }

  private static AttemptFailedException failure(FailureKind kind, int rank) {
    return new AttemptFailedException(kind, rank, "scripted", null);
  }
}
