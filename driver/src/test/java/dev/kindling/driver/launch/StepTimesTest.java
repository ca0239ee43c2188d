package dev.kindling.driver.launch;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class StepTimesTest {
  @Test
  void thePercentileForgetsOneOutlierInAHundredAndOldSteps() {
    StepTimes times = new StepTimes();
    assertThat(times.p99()).isZero();
    times.add(30_000);
    assertThat(times.p99()).isEqualTo(30_000);
    for (int step = 1; step < 100; step++) {
      times.add(step);
    }
    assertThat(times.p99()).isEqualTo(99);
    for (int step = 0; step < 600; step++) {
      times.add(5);
    }
    assertThat(times.p99()).isEqualTo(5);
  }
}
