package dev.kindling.benchmarks.scaling;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.kindling.configs.yaml.ByteSize;
import org.junit.jupiter.api.Test;

class AllReducePointTest {
  private static AllReducePoint point(boolean shared, String source) {
    return new AllReducePoint("net", 4, 8, new ByteSize(1_000_000_000), 2000, shared, source);
  }

  @Test
  void aRankSendsThreeQuartersOfTheVectorTwiceAndASharedMediumCarriesAllOfThat() {
    assertThat(point(false, "here").nominalSeconds()).as("1 GB/s").isCloseTo(1.5, within(1e-12));
    assertThat(point(true, "here").nominalSeconds()).isCloseTo(6, within(1e-12));
    assertThat(point(false, "here").hops()).isEqualTo(6);
  }

  @Test
  void theErrorIsRelativeAndPositiveWhereThePredictionIsTooSlow() {
    Link link = new Link("net", 8, 100_000, 1);
    assertThat(point(false, "here").predictedSeconds(link)).isCloseTo(2.1, within(1e-12));
    assertThat(point(false, "here").error(link)).isCloseTo(0.05, within(1e-12));
  }

  @Test
  void aPointWithoutASourceIsRefused() {
    assertThatThrownBy(() -> point(false, ""))
        .hasMessageContaining("source: expected where the figure is written down");
  }
}
