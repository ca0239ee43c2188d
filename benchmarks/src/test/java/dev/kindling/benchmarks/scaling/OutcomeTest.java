package dev.kindling.benchmarks.scaling;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import org.junit.jupiter.api.Test;

class OutcomeTest {
  private static Outcome outcome(double step, double waited) {
    Timeline.Pace free = new Timeline.Pace(0.11, 0.01);
    return Outcome.of(Samples.worker(0, 0), 4, new Timeline.Pace(step, waited), free);
  }

  @Test
  void aNetworkAnswersForWhatAnInstantOneWouldSpareAndSlowWorkersForTheRest() {
    Outcome outcome = outcome(0.2, 0.08);
    assertThat(outcome.tokensPerSecond()).isCloseTo(4 * 1000 / 0.2, within(1e-9));
    assertThat(outcome.efficiency()).isCloseTo(0.5, within(1e-12));
    assertThat(outcome.exposedSeconds()).isCloseTo(0.09, within(1e-12));
    assertThat(outcome.straggledSeconds()).isEqualTo(0.01);
  }

  @Test
  void nothingIsExposedWhereJitterMakesTheInstantNetworkSlower() {
    assertThat(outcome(0.1099, 0.02).exposedSeconds()).isZero();
  }
}
