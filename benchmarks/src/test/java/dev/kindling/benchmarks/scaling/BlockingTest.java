package dev.kindling.benchmarks.scaling;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import org.junit.jupiter.api.Test;

class BlockingTest {
  @Test
  void aRoundTakesItsStepsAndTheReduction() {
    for (double gbit : new double[] {1, 10, 800}) {
      for (int tau : new int[] {1, 12, 500}) {
        Outcome outcome =
            Samples.outcome(new Blocking(tau, 4), Samples.worker(0, 0), Samples.cost(4, gbit));
        double reduction = 1.5 * 4e8 / (gbit * 1e9 / 8);
        assertThat(tau * outcome.stepSeconds())
            .isCloseTo(tau * Samples.STEP + reduction, within(1e-8));
        assertThat(tau * outcome.exposedSeconds()).isCloseTo(reduction, within(1e-8));
      }
    }
  }

  @Test
  void theOuterStepIsPaidOncePerRound() {
    Worker worker = new Worker("w", 100, 1000, 100, 0.5, 0.1, 0, 1, 0, 24);
    Outcome outcome =
        Samples.outcome(new Blocking(12, 4), worker, Samples.cost(4, Double.POSITIVE_INFINITY));
    assertThat(outcome.stepSeconds()).isCloseTo(0.102, within(1e-9));
    assertThat(outcome.exposedSeconds()).as("no communication").isCloseTo(0, within(1e-12));
  }
}
