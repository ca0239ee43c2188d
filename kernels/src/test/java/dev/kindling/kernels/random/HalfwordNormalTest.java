package dev.kindling.kernels.random;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.kindling.kernels.testing.ZerothOrderOracle;
import org.junit.jupiter.api.Test;

class HalfwordNormalTest {
  private static final int DRAWS = 1 << 21;
  private static final int LANES = HalfwordNormal.LANES;

  private static float[] draws(long key, int step, int direction, int count) {
    float[] draws = new float[count];
    int[] words = new int[4];
    float[] z = new float[LANES];
    for (int i = 0; i < count; i += LANES) {
      HalfwordNormal.block(words, key, i / LANES, step, direction, z);
      System.arraycopy(z, 0, draws, i, LANES);
    }
    return draws;
  }

  /** Words of zeros and ones are the ends of radius and angle. */
  @Test
  void isBoxMullerOfTheHalfWordsUpToThePolynomials() {
    float[] draws = draws(77, 5, 2, 1 << 18);
    double worst = 0;
    for (int i = 0; i < draws.length; i++) {
      worst = Math.max(worst, Math.abs(draws[i] - ZerothOrderOracle.normal(77, i, 5, 2)));
    }
    assertThat(worst).isBetween(1e-7, 2e-3);
    double squares = 0;
    for (int i = 0; i < draws.length; i++) {
      squares += Math.pow(draws[i] - ZerothOrderOracle.normal(77, i, 5, 2), 2);
    }
    assertThat(Math.sqrt(squares / draws.length)).isLessThan(3e-5);
  }

  @Test
  void momentsAreThoseOfTheNormalLaw() {
    float[] draws = draws(1, 1, 0, DRAWS);
    double[] moments = new double[5];
    double lag = 0;
    double pair = 0;
    for (int i = 0; i < draws.length; i++) {
      for (int k = 1; k < moments.length; k++) {
        moments[k] += Math.pow(draws[i], k) / DRAWS;
      }
      lag += (double) draws[i] * draws[(i + LANES) % DRAWS] / DRAWS;
      pair += i % 2 == 0 ? (double) draws[i] * draws[i + 1] / (DRAWS / 2) : 0;
    }
    double root = Math.sqrt(DRAWS);
    assertThat(moments[1]).isCloseTo(0, within(4 / root));
    assertThat(moments[2]).isCloseTo(1, within(4 * Math.sqrt(2) / root));
    assertThat(moments[3]).isCloseTo(0, within(4 * Math.sqrt(15) / root));
    assertThat(moments[4]).isCloseTo(3, within(4 * Math.sqrt(96) / root));
    assertThat(lag).isCloseTo(0, within(4 / root));
    assertThat(pair).isCloseTo(0, within(4 * Math.sqrt(2) / root));
  }

  @Test
  void stepsDirectionsAndParametersAreUncorrelated() {
    int count = 1 << 18;
    float[] first = draws(HalfwordNormal.key(1, "a"), 1, 0, count);
    float[][] others = {
      draws(HalfwordNormal.key(1, "a"), 2, 0, count),
      draws(HalfwordNormal.key(1, "a"), 1, 1, count),
      draws(HalfwordNormal.key(1, "b"), 1, 0, count),
      draws(HalfwordNormal.key(2, "a"), 1, 0, count)
    };
    for (float[] other : others) {
      double product = 0;
      for (int i = 0; i < count; i++) {
        product += (double) first[i] * other[i];
      }
      assertThat(product / count).isCloseTo(0, within(4 / Math.sqrt(count)));
    }
  }

  /** The bits that a device must give too. */
  @Test
  void bitsArePinned() {
    int hash = 1;
    for (float z : draws(0x0123456789ABCDEFL, 7, 3, 1 << 12)) {
      hash = 31 * hash + Float.floatToRawIntBits(z);
    }
    assertThat(hash).isEqualTo(-1051379188);
  }
}
