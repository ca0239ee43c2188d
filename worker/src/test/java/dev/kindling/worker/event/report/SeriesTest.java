package dev.kindling.worker.event.report;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class SeriesTest {
  private static Series line(int count) {
    double[] steps = new double[count];
    double[] values = new double[count];
    for (int i = 0; i < count; i++) {
      steps[i] = i;
      values[i] = 3.0 * i;
    }
    return new Series("line", "loss", steps, values);
  }

  @Test
  void aSmoothedLineIsTheLine() {
    double[] smooth = line(400).smooth("loss").values();
    for (int i = 0; i < smooth.length; i++) {
      assertThat(smooth[i]).isCloseTo(3.0 * i, org.assertj.core.data.Offset.offset(1e-6));
    }
  }

  @Test
  void whatIsNotFiniteIsLeftOut() {
    Series series = line(400);
    series.values()[200] = Double.NaN;
    assertThat(series.smooth("loss").values()[200]).isBetween(590.0, 610.0);
    assertThat(series.finite()).hasSize(399);
    assertThat(series.max()).isEqualTo(3.0 * 399);
  }

  @Test
  void nothingHasNoNumbers() {
    Series none = new Series("", "loss", new double[0], new double[0]);
    assertThat(none.isEmpty()).isTrue();
    assertThat(none.median()).isNaN();
    assertThat(none.last()).isNaN();
  }
}
