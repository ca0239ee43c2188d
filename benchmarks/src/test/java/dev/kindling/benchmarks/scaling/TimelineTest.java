package dev.kindling.benchmarks.scaling;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.List;
import org.junit.jupiter.api.Test;

class TimelineTest {
  private static Timeline timeline() {
    Worker worker = Samples.worker(0, 0);
    StepTimes times = StepTimes.given(List.of(100.0, 200.0), worker, 1);
    return new Timeline(times, Samples.cost(2, 10), worker);
  }

  @Test
  void whoComesEarlyWaitsAndWhoComesLateDoesNot() {
    Timeline timeline = timeline();
    timeline.compute(2);
    assertThat(timeline.last()).isCloseTo(0.4, within(1e-12));
    timeline.await(0.3);
    assertThat(timeline.clock(0)).isCloseTo(0.3, within(1e-12));
    assertThat(timeline.clock(1)).isCloseTo(0.4, within(1e-12));
    Timeline.Pace pace = timeline.pace();
    assertThat(pace.stepSeconds()).isCloseTo(0.2, within(1e-12));
    assertThat(pace.waitedSeconds())
        .as("0.1 of two workers in two steps")
        .isCloseTo(0.025, within(1e-12));
  }

  @Test
  void whatCameBeforeTheMarkDoesNotCount() {
    Timeline timeline = timeline();
    timeline.compute(3);
    timeline.await(9);
    timeline.mark();
    timeline.compute(1);
    Timeline.Pace pace = timeline.pace();
    assertThat(pace.stepSeconds()).isCloseTo(0.2, within(1e-12));
    assertThat(pace.waitedSeconds()).isZero();
  }

  @Test
  void aWorkerAloneReducesNothing() {
    Worker worker = Samples.worker(0, 0);
    Timeline alone = new Timeline(StepTimes.drawn(worker, 1, 1), Samples.cost(1, 1), worker);
    assertThat(alone.reduceSeconds(1e9, 4)).isZero();
  }
}
