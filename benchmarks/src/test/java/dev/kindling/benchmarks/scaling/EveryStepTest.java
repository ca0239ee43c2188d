package dev.kindling.benchmarks.scaling;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.kindling.configs.yaml.ByteSize;
import org.junit.jupiter.api.Test;

class EveryStepTest {
  private static final Worker STEADY = Samples.worker(0, 0);

  private static double exposed(SyncMethod method, double gbit) {
    return Samples.outcome(method, STEADY, Samples.cost(4, gbit)).exposedSeconds();
  }

  private static double reduction(double bytes, double gbit) {
    return 1.5 * bytes / (gbit * 1e9 / 8);
  }

  @Test
  void withOneBucketAllOfTheReductionIsExposed() {
    EveryStep method = new EveryStep(2, new ByteSize(1L << 40));
    for (double gbit : new double[] {1, 10, 400}) {
      assertThat(exposed(method, gbit)).isCloseTo(reduction(2e8, gbit), within(1e-9));
    }
  }

  @Test
  void overAFastLinkOnlyTheLastBucketIsExposed() {
    // Four buckets of 5e7 bytes, 12.5 ms of backward apart; each takes 1.5 ms at 400 Gbit/s.
    EveryStep method = new EveryStep(2, new ByteSize(50_000_000));
    assertThat(exposed(method, 400)).isCloseTo(reduction(5e7, 400), within(1e-9));
  }

  @Test
  void overASlowLinkBucketsQueueAndTheFirstOneSetsThePace() {
    // At 10 Gbit/s a bucket takes 60 ms: the first is ready 37.5 ms before the last.
    EveryStep method = new EveryStep(2, new ByteSize(50_000_000));
    assertThat(exposed(method, 10)).isCloseTo(reduction(2e8, 10) - 0.0375, within(1e-9));
  }

  @Test
  void halfTheBytesOfTheGradientAreHalfTheTime() {
    EveryStep narrow = new EveryStep(2, new ByteSize(1L << 40));
    EveryStep wide = new EveryStep(4, new ByteSize(1L << 40));
    assertThat(exposed(wide, 10)).isCloseTo(2 * exposed(narrow, 10), within(1e-9));
  }
}
