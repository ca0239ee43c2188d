package dev.kindling.benchmarks.scaling;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import org.junit.jupiter.api.Test;

class InFlightTest {
  @Test
  void whatDoesNotFitUnderARoundIsExposed() {
    for (double gbit : new double[] {1, 3, 4, 5, 10, 800}) {
      for (int tau : new int[] {1, 12, 48}) {
        Outcome outcome =
            Samples.outcome(new InFlight(tau, 4), Samples.worker(0, 0), Samples.cost(4, gbit));
        double reduction = 1.5 * 4e8 / (gbit * 1e9 / 8);
        assertThat(tau * outcome.exposedSeconds())
            .as("tau %d at %f", tau, gbit)
            .isCloseTo(Math.max(0, reduction - tau * Samples.STEP), within(1e-8));
      }
    }
  }

  @Test
  void aRoundIsNeverLongerThanABlockingOne() {
    for (double gbit : new double[] {1, 5, 25, 800}) {
      Worker worker = Samples.worker(0.05, 0.02);
      Outcome inFlight = Samples.outcome(new InFlight(12, 4), worker, Samples.cost(16, gbit));
      Outcome blocking = Samples.outcome(new Blocking(12, 4), worker, Samples.cost(16, gbit));
      assertThat(inFlight.stepSeconds()).isLessThan(blocking.stepSeconds());
    }
  }
}
