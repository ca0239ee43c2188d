package dev.kindling.benchmarks.scaling;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.Arrays;
import org.junit.jupiter.api.Test;

class NormalQuantilesTest {
  @Test
  void quantilesAreThoseOfTheTables() {
    // (i + 1/2) / 20 for i = 19 is 0.975, for i = 16 it is 0.825.
    double[] quantiles = NormalQuantiles.of(20);
    assertThat(quantiles[19]).isCloseTo(1.959964, within(1e-5));
    assertThat(quantiles[16]).isCloseTo(0.934589, within(1e-5));
    assertThat(quantiles[0]).isCloseTo(-1.959964, within(1e-5));
    assertThat(NormalQuantiles.of(500)[499]).as("0.999").isCloseTo(3.090232, within(1e-5));
  }

  @Test
  void factorsHaveMeanOneAndTheirDeviation() {
    double[] factors = NormalQuantiles.factors(1 << 16, 0.2);
    assertThat(Arrays.stream(factors).average().orElseThrow()).isCloseTo(1, within(1e-12));
    double squares = Arrays.stream(factors).map(f -> (f - 1) * (f - 1)).average().orElseThrow();
    assertThat(Math.sqrt(squares)).isCloseTo(0.2, within(1e-3));
    assertThat(Arrays.stream(factors).min().orElseThrow()).isPositive();
  }

  @Test
  void withoutDeviationEveryFactorIsOne() {
    assertThat(NormalQuantiles.factors(7, 0)).containsOnly(1.0);
  }
}
