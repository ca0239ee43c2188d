package dev.kindling.benchmarks.scaling;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import org.junit.jupiter.api.Test;

class Co2TableTest {
  @Test
  void theRowsOf8And16GpusAreReproduced() {
    for (Algorithm algorithm : Algorithm.values()) {
      Co2Table table = new Co2Table(algorithm, 4);
      assertThat(table.adamw(8)).isCloseTo(Co2Table.ADAMW_8, within(1e-3));
      assertThat(table.adamw(16)).isCloseTo(Co2Table.ADAMW_16, within(1e-3));
    }
  }

  /** A step's communication on 16 hosts over that on 2, for the ring 127/128 over 15/16. */
  private static double ratio(double communication) {
    double alone = 8 / Co2Table.ADAMW_8;
    double exposed = 16 / Co2Table.ADAMW_16 - alone;
    return (alone + exposed * communication) / alone;
  }

  @Test
  void theRatioIsArithmeticOnTheTable() {
    double ring = ratio((127 / 128.0) / (15 / 16.0));
    double hierarchical = ratio((15 / 16.0) / (1 / 2.0));
    assertThat(new Co2Table(Algorithm.RING, 4).ratio()).isCloseTo(ring, within(1e-3));
    assertThat(new Co2Table(Algorithm.HIERARCHICAL, 4).ratio())
        .isCloseTo(hierarchical, within(1e-3));
    assertThat(Co2Table.publishedRatio())
        .isCloseTo(13.36, within(0.01))
        .isBetween(ring, hierarchical);
  }

  @Test
  void a48StepRoundHidesItsReductionAndA12StepOneDoesNot() {
    Co2Table table = new Co2Table(Algorithm.HIERARCHICAL, 4);
    assertThat(table.co2(128, 48)).isCloseTo(16 * Co2Table.ADAMW_8, within(1.0));
    assertThat(table.scaling(48)).isCloseTo(1, within(1e-6));
    assertThat(table.scaling(12)).isLessThan(0.6);
  }
}
