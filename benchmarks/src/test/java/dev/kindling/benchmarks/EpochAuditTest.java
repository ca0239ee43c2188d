package dev.kindling.benchmarks;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kindling.worker.data.SampleDigest;
import dev.kindling.worker.data.SampleOrder;
import dev.kindling.worker.ledger.LedgerHistory;
import dev.kindling.worker.ledger.LedgerStep;
import java.util.List;
import java.util.OptionalLong;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;

class EpochAuditTest {
  private static final int PER_STEP = 4;
  private final SampleOrder order = new SampleOrder(7, 12);
  private final TreeMap<Long, LedgerStep> steps = new TreeMap<>();

  /** A step that feeds the batch of another one if {@code batch} is not its own. */
  private void feed(long step, long batch) {
    long digest = 0;
    for (int place = 0; place < PER_STEP; place++) {
      digest += SampleDigest.of(place, order.at((batch - 1) * PER_STEP + place));
    }
    steps.put(step, new LedgerStep(step, 0, 0, OptionalLong.of(digest), 1));
  }

  private EpochAudit audit(long count) {
    return EpochAudit.of(new LedgerHistory(steps, List.of()), order, count, PER_STEP);
  }

  @Test
  void anEpochOfWholeBatchesFeedsEachSampleOnce() {
    for (long step = 1; step <= 3; step++) {
      feed(step, step);
    }
    assertThat(audit(3)).isEqualTo(new EpochAudit(12, 0, 0, 0));
    assertThat(audit(3).once()).isTrue();
  }

  @Test
  void aBatchThatIsFedTwiceAndOneThatIsLeftOutAreFound() {
    feed(1, 1);
    feed(2, 1);
    feed(3, 3);
    assertThat(audit(3)).isEqualTo(new EpochAudit(12, 4, 0, 1));
    assertThat(audit(3).once()).isFalse();
  }

  @Test
  void whatNobodyRecordedIsNotFed() {
    feed(1, 1);
    feed(3, 3);
    steps.put(2L, new LedgerStep(2, 0, 0, OptionalLong.empty(), 1));
    assertThat(audit(3)).isEqualTo(new EpochAudit(12, 4, 0, 1));
  }

  @Test
  void aSecondEpochRepeatsSamples() {
    for (long step = 1; step <= 4; step++) {
      feed(step, step);
    }
    assertThat(audit(4)).isEqualTo(new EpochAudit(12, 0, 4, 0));
  }
}
