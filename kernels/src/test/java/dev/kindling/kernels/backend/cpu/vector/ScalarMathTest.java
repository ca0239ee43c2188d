package dev.kindling.kernels.backend.cpu.vector;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.function.DoubleUnaryOperator;
import org.junit.jupiter.api.Test;

/**
 * Errors in units in the last place of the correctly rounded result, over every 97th float of both
 * signs.
 */
class ScalarMathTest {
  private interface FloatFunction {
    float apply(float x);
  }

  private static double worst(FloatFunction function, DoubleUnaryOperator exact) {
    double worst = 0;
    for (long bits = 0; bits < 1L << 32; bits += 97) {
      float x = Float.intBitsToFloat((int) bits);
      if (Float.isFinite(x)) {
        double expected = exact.applyAsDouble(x);
        float rounded = (float) expected;
        float found = function.apply(x);
        if (Float.isInfinite(rounded) || Float.isInfinite(found)) {
          assertThat(found).as("at %s", x).isEqualTo(rounded);
        } else {
          worst = Math.max(worst, Math.abs(found - expected) / Math.ulp(rounded));
        }
      }
    }
    return worst;
  }

  @Test
  void expIsWithinOneUlpEverywhere() {
    assertThat(worst(ScalarMath::exp, StrictMath::exp)).isLessThan(1.0);
  }

  @Test
  void tanhIsWithinTwoUlpEverywhere() {
    assertThat(worst(ScalarMath::tanh, StrictMath::tanh)).isLessThan(2.0);
  }

  @Test
  void sigmoidIsWithinThreeUlpUntilExpOverflows() {
    assertThat(
            worst(
                x -> x < -88f ? 0f : ScalarMath.sigmoid(x),
                x -> x < -88f ? 0 : 1 / (1 + StrictMath.exp(-x))))
        .isLessThan(3.0);
    assertThat(ScalarMath.sigmoid(-100f)).isZero();
  }

  @Test
  void extremesFollowTheDefinition() {
    assertThat(ScalarMath.exp(Float.NaN)).isNaN();
    assertThat(ScalarMath.exp(Float.POSITIVE_INFINITY)).isEqualTo(Float.POSITIVE_INFINITY);
    assertThat(ScalarMath.exp(Float.NEGATIVE_INFINITY)).isZero();
    assertThat(ScalarMath.tanh(Float.NaN)).isNaN();
    assertThat(ScalarMath.tanh(Float.POSITIVE_INFINITY)).isEqualTo(1f);
    assertThat(ScalarMath.tanh(Float.NEGATIVE_INFINITY)).isEqualTo(-1f);
    assertThat(Float.floatToRawIntBits(ScalarMath.tanh(-0f))).isEqualTo(Integer.MIN_VALUE);
    assertThat(ScalarMath.sigmoid(Float.NaN)).isNaN();
  }

  @Test
  void logIsNearStrictMath() {
    for (double x = 1e-30; x < 1e30; x *= 1.0007) {
      double expected = StrictMath.log(x);
      assertThat(Math.abs(ScalarMath.log(x) - expected))
          .as("log %s", x)
          .isLessThan(1e-14 * Math.max(1, Math.abs(expected)));
    }
  }
}
