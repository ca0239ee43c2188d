package dev.kindling.benchmarks.scaling;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import org.junit.jupiter.api.Test;

class StreamingTest {
  private static double exposed(Streaming method, double gbit) {
    return Samples.outcome(method, Samples.worker(0, 0), Samples.cost(4, gbit)).exposedSeconds();
  }

  @Test
  void whatDoesNotFitUnderTheDelayIsExposedForEveryFragment() {
    for (double gbit : new double[] {1, 4, 10, 800}) {
      for (int delay : new int[] {0, 1, 3}) {
        double fragment = 1.5 * 1e8 / (gbit * 1e9 / 8);
        assertThat(exposed(new Streaming(12, 4, delay, 4), gbit))
            .as("delay %d at %f", delay, gbit)
            .isCloseTo(4 * Math.max(0, fragment - delay * Samples.STEP) / 12, within(1e-9));
      }
    }
  }

  @Test
  void oneFragmentWithoutDelayIsBlockingAndWithAWholeRoundInFlight() {
    Worker worker = Samples.worker(0, 0);
    for (double gbit : new double[] {1, 10}) {
      AllReduceCost cost = Samples.cost(4, gbit);
      assertThat(Samples.outcome(new Streaming(12, 1, 0, 4), worker, cost).stepSeconds())
          .isCloseTo(
              Samples.outcome(new Blocking(12, 4), worker, cost).stepSeconds(), within(1e-9));
      assertThat(Samples.outcome(new Streaming(12, 1, 12, 4), worker, cost).stepSeconds())
          .isCloseTo(
              Samples.outcome(new InFlight(12, 4), worker, cost).stepSeconds(), within(1e-9));
    }
  }

  @Test
  void fragmentsDivideARoundAndArriveBeforeTheNextLeaves() {
    assertThatThrownBy(() -> new Streaming(10, 4, 0, 4))
        .hasMessageContaining("tau: expected a multiple of fragments 4, found 10");
    assertThatThrownBy(() -> new Streaming(12, 4, 4, 4))
        .hasMessageContaining("delay: expected 0 to tau / fragments, found 4");
  }
}
