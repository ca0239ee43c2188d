package dev.kindling.kernels.graph;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class RopeScalingTest {
  /** Llama 3.1's own numbers: base 500,000, heads of 128. */
  private static final RopeFrequencies LLAMA =
      new RopeFrequencies(500000, Optional.of(new RopeScaling.Llama3(8, 1, 4, 8192)));

  /** By the published rule in terms of wavelengths, in fp64. */
  @Test
  void llama3KeepsShortWavelengthsAndStretchesLongOnes() {
    double[] found = LLAMA.ofHead(128);
    Map.of(
            0, 1.0,
            28, 0.0032114459947525913,
            29, 0.002166570763503359,
            30, 0.0013718935677611381,
            33, 0.00031269375038406517,
            35, 9.556212353964683e-05,
            63, 3.068925988914511e-07)
        .forEach(
            (i, expected) ->
                assertThat(found[i])
                    .as("pair %d", i)
                    .isCloseTo(expected, within(1e-14 * expected)));
    double[] plain = RopeFrequencies.of(500000).ofHead(128);
    for (int i = 0; i < 64; i++) {
      assertThat(found[i]).isBetween(plain[i] / 8, plain[i]);
    }
  }

  @Test
  void linearDividesAllAlike() {
    double[] plain = RopeFrequencies.of(100).ofHead(6);
    RopeFrequencies stretched = new RopeFrequencies(100, Optional.of(new RopeScaling.Linear(4)));
    for (int i = 0; i < 3; i++) {
      assertThat(plain[i]).isCloseTo(Math.pow(100, -i / 3.0), within(1e-15));
      assertThat(stretched.ofHead(6)[i]).isEqualTo(plain[i] / 4);
    }
  }

  @Test
  void wrongNumbersAreReportedTogether() {
    assertThatThrownBy(() -> new RopeScaling.Linear(0))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("factor: expected a number above 0, found 0.0");
    assertThatThrownBy(() -> new RopeScaling.Llama3(-1, 1, 4, 0))
        .hasMessage(
            "factor: expected a number above 0, found -1.0\n"
                + "original_max_position_embeddings: expected 1 or more, found 0");
    assertThatThrownBy(() -> new RopeScaling.Llama3(8, 4, 4, 8192))
        .hasMessage("high_freq_factor: expected a number above low_freq_factor 4.0, found 4.0");
  }
}
