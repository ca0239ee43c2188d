package dev.kindling.worker.event.report;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

class ScaleTest {
  private static List<String> labels(Scale scale) {
    return scale.ticks().stream().map(scale::label).toList();
  }

  @Test
  void ticksAreRoundNumbersThatCoverTheValues() {
    assertThat(labels(Scale.covering(1.37, 5.61))).containsExactly("0", "2", "4", "6");
    assertThat(labels(Scale.fromZero(0.0031)))
        .containsExactly("0.000", "0.001", "0.002", "0.003", "0.004");
    assertThat(labels(Scale.fromZero(182_000)))
        .containsExactly("0", "50,000", "100,000", "150,000", "200,000");
  }

  @Test
  void anyRangeHasAFewTicksAndHoldsItsEnds() {
    Random random = new Random(5);
    for (int i = 0; i < 5000; i++) {
      double a = random.nextGaussian() * Math.pow(10, random.nextInt(24) - 12);
      double b = a + random.nextDouble() * Math.pow(10, random.nextInt(12) - 6);
      Scale scale = Scale.covering(a, b);
      assertThat(scale.ticks()).hasSizeBetween(2, 8);
      assertThat(scale.fraction(a)).isBetween(-1e-6, 1 + 1e-6);
      assertThat(scale.fraction(b)).isBetween(-1e-6, 1 + 1e-6);
    }
  }

  @Test
  void aRangeWithoutWidthGetsOne() {
    assertThat(Scale.covering(2, 2).fraction(2)).isBetween(0.1, 0.9);
    assertThat(Scale.covering(0, 0).high()).isGreaterThan(0);
    assertThat(Scale.fromZero(0).high()).isGreaterThan(0);
  }
}
