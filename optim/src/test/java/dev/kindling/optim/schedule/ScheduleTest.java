package dev.kindling.optim.schedule;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class ScheduleTest {
  private static final List<Schedule> ALL =
      List.of(
          new Constant(10),
          new Linear(10, 0.1),
          new Cosine(10, 0.1),
          new Constant(0),
          new Linear(0, 0.0),
          new Cosine(0, 0.0));

  @Test
  void theListAboveHoldsEverySchedule() {
    assertThat(ALL.stream().map(Object::getClass).distinct())
        .containsExactlyInAnyOrder(Schedule.class.getPermittedSubclasses());
  }

  @Test
  void warmUpRisesInEqualPartsFromTheFirstStepToTheFullRate() {
    for (Schedule schedule : List.of(new Constant(4), new Linear(4, 0.5), new Cosine(4, 0.5))) {
      assertThat(List.of(1L, 2L, 3L, 4L, 5L).stream().map(s -> schedule.factor(s, 100)))
          .as(schedule.toString())
          .containsExactly(0.25, 0.5, 0.75, 1.0, 1.0);
    }
  }

  @Test
  void withoutWarmUpTheFirstStepRunsAtTheFullRate() {
    for (Schedule schedule : List.of(new Constant(0), new Linear(0, 0.0), new Cosine(0, 0.0))) {
      assertThat(schedule.factor(1, 7)).as(schedule.toString()).isEqualTo(1.0);
    }
  }

  @Test
  void linearFallsInEqualPartsAndWastesNoStep() {
    assertThat(List.of(1L, 2L, 3L, 4L).stream().map(s -> new Linear(0, 0.0).factor(s, 4)))
        .containsExactly(1.0, 0.75, 0.5, 0.25);
    assertThat(new Linear(2, 0.5).factor(4, 4)).isCloseTo(0.75, within(1e-15));
  }

  @Test
  void cosineIsHalfwayAtHalfOfTheDecay() {
    assertThat(new Cosine(10, 0.2).factor(10 + 50 + 1, 110)).isCloseTo(0.6, within(1e-12));
  }

  @Test
  void afterWarmUpNoScheduleRisesAndNoneFallsBelowItsMinimum() {
    for (Schedule schedule : ALL) {
      double before = 1.0;
      for (long step = schedule.warmupSteps() + 1; step <= 130; step++) {
        double factor = schedule.factor(step, 120);
        assertThat(factor).as("%s at %d", schedule, step).isBetween(0.0, before);
        before = factor;
      }
    }
    assertThat(new Cosine(3, 0.25).factor(1000, 120)).isEqualTo(0.25);
    assertThat(new Constant(3).factor(1000, 120)).isEqualTo(1.0);
  }

  @Test
  void aRunShorterThanItsWarmUpStaysInTheWarmUp() {
    assertThat(new Cosine(100, 0.1).factor(20, 20)).isEqualTo(0.2);
  }

  @Test
  void wrongValuesAreReportedTogether() {
    assertThatThrownBy(() -> new Cosine(-1, 1.5))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage(
            "warmup_steps: expected 0 or more, found -1\n"
                + "min_ratio: expected a number in [0, 1], found 1.5");
    assertThatThrownBy(() -> new Constant(0).factor(0, 10)).hasMessageContaining("count from 1");
  }

  @Test
  void defaultsArePinned() {
    assertThat(Constant.defaults()).isEqualTo(Map.of("warmupSteps", 0L));
    assertThat(Linear.defaults()).isEqualTo(Map.of("warmupSteps", 0L, "minRatio", 0.0));
    assertThat(Cosine.defaults()).isEqualTo(Map.of("warmupSteps", 0L, "minRatio", 0.1));
  }
}
