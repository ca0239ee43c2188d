package dev.kindling.benchmarks;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

class KillMomentTest {
  private static final int EVERY = 5;

  @Test
  void targetsTakeTurnsAndEverySecondMomentFallsIntoASave() {
    Random random = new Random(3);
    for (int first = 0; first < 100; first += 10) {
      List<KillMoment> row = KillMoment.row(random, first, 10, EVERY);
      for (int i = 0; i < row.size(); i++) {
        KillMoment moment = row.get(i);
        assertThat(moment.target())
            .isEqualTo(
                List.of(KillTarget.WORKER, KillTarget.RANK_ZERO, KillTarget.DRIVER)
                    .get((first + i) % 3));
        assertThat(moment.window() == KillMoment.Window.SAVE).isEqualTo((first + i) % 2 == 0);
        if (moment.window() == KillMoment.Window.SAVE) {
          assertThat(moment.step() % EVERY).isZero();
        }
        if (moment.window() != KillMoment.Window.RECOVERY) {
          assertThat(moment.step())
              .isBetween((long) i * KillMoment.STEPS_APART + 1, (i + 1L) * KillMoment.STEPS_APART)
              .isLessThan(KillMoment.steps(10));
        }
        assertThat(moment.place()).isBetween(0.0, 1.0);
      }
      assertThat(row.get(0).window()).isNotEqualTo(KillMoment.Window.RECOVERY);
    }
  }
}
