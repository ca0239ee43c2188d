package dev.kindling.kernels.random;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import org.junit.jupiter.api.Test;

class StochasticRoundingTest {
  private static final int DRAWS = 1 << 20;

  private static int random(long key, long step, long i) {
    int[] words = new int[4];
    StochasticRounding.block(words, key, step, i);
    return StochasticRounding.random(words, i);
  }

  @Test
  void theMeanOfManyRoundingsIsTheValue() {
    for (float value : new float[] {1.0009f, -3.14159f, 1e-20f, 7.7e30f}) {
      float low = StochasticRounding.round(value, 0xFFFF);
      float high = StochasticRounding.round(value, 0);
      double sum = 0;
      int[] words = new int[4];
      for (int i = 0; i < DRAWS; i++) {
        if (StochasticRounding.beginsBlock(i)) {
          StochasticRounding.block(words, 5, 1, i);
        }
        sum += StochasticRounding.round(value, StochasticRounding.random(words, i));
      }
      double up = ((double) value - low) / ((double) high - low);
      double deviation = Math.abs((double) high - low) * Math.sqrt(up * (1 - up) / DRAWS);
      assertThat(up).isStrictlyBetween(0.0, 1.0);
      assertThat(sum / DRAWS).as("%s", value).isCloseTo(value, within(4 * deviation));
    }
  }

  @Test
  void whatBf16RepresentsNeverMoves() {
    for (int high = 0; high <= 0xFFFF; high++) {
      float value = Float.intBitsToFloat(high << 16);
      if (!Float.isNaN(value)) {
        for (int r : new int[] {0, 1, 0x7FFF, 0xFFFF}) {
          assertThat(Float.floatToRawIntBits(StochasticRounding.round(value, r)))
              .isEqualTo(high << 16);
        }
      }
    }
  }

  @Test
  void signZeroAndWhatIsNotFiniteAreKept() {
    assertThat(StochasticRounding.round(-0f, 0)).isEqualTo(-0f);
    assertThat(StochasticRounding.round(Float.NEGATIVE_INFINITY, 0))
        .isEqualTo(Float.NEGATIVE_INFINITY);
    assertThat(StochasticRounding.round(Float.intBitsToFloat(0x7F800001), 0)).isNaN();
    assertThat(StochasticRounding.round(Float.MIN_VALUE, 0)).isPositive();
    assertThat(StochasticRounding.round(-Float.MIN_VALUE, 0)).isNegative();
    assertThat(StochasticRounding.round(Float.MIN_VALUE, 1)).isZero();
  }

  @Test
  void awayFromZeroIfTheBitsThatGoAreMoreThanTheNumberDrawn() {
    float value = Float.intBitsToFloat(0x3F801234);
    assertThat(Float.floatToIntBits(StochasticRounding.round(value, 0x1233))).isEqualTo(0x3F810000);
    assertThat(Float.floatToIntBits(StochasticRounding.round(value, 0x1234))).isEqualTo(0x3F800000);
  }

  @Test
  void numbersDependOnKeyStepAndElementAloneAndAllDiffer() {
    assertThat(random(1, 2, 3)).isEqualTo(random(1, 2, 3));
    int[] words = Philox.words(1, (2 * (1L << 32) + 13) / 8);
    assertThat(random(1, 2, 13)).isEqualTo(words[2] >>> 16);
    int equal = 0;
    for (int i = 0; i < 1000; i++) {
      equal += random(1, 2, i) == random(1, 3, i) ? 1 : 0;
      equal += random(1, 2, i) == random(4, 2, i) ? 1 : 0;
      equal += random(1, 2, i) == random(1, 2, i + 1) ? 1 : 0;
    }
    assertThat(equal).isLessThan(5);
    assertThat(StochasticRounding.key(0, "a")).isNotEqualTo(StochasticRounding.key(0, "b"));
    assertThat(StochasticRounding.key(0, "a")).isNotEqualTo(Initialization.key(0, "a"));
  }
}
