package dev.kindling.kernels.backend.cpu.vector;

/**
 * Elementary functions of one float, in the very operations that {@link VectorMath} uses for a
 * vector of them, so that tails, the plain Java kernels and every vector width agree bit for bit.
 *
 * <p>Errors measured over all floats are in ScalarMathTest. Denormal results are rounded once.
 */
public final class ScalarMath {
  static final float LOG2_E = 1.4426950216293335f;
  // High part with 12 trailing zero bits: n * LN2_HIGH is exact for every exponent n.
  static final float LN2_HIGH = 0.693115234375f;
  static final float LN2_LOW = 3.194618329871446e-05f;
  // Adding 1.5 * 2^23 rounds to an integer and leaves it in the low bits: F2I is not intrinsic on
  // JDK 17.
  static final float MAGIC = 12582912f;
  static final int MAGIC_BITS = 0x4B400000;
  static final float EXP_OVERFLOW = 88.72284f;
  static final float EXP_UNDERFLOW = -103.97208f;
  // (exp(r) - 1 - r) / r^2 on |r| <= ln(2)/2, minimax for the relative error: 0.05 units of 2^-24.
  static final float E2 = 0.4999999403953552f;
  static final float E3 = 0.1666652113199234f;
  static final float E4 = 0.04166838899254799f;
  static final float E5 = 0.008368716575205326f;
  static final float E6 = 0.001381459878757596f;
  static final float TANH_SMALL = 0.625f;
  // (tanh(x) - x) / x^3 in x^2 on |x| <= 0.625.
  static final float T3 = -0.3333328366279602f;
  static final float T5 = 0.13331490755081177f;
  static final float T7 = -0.05374344065785408f;
  static final float T9 = 0.020650386810302734f;
  static final float T11 = -0.005716809071600437f;
  static final float GELU_CUBIC = 0.044715f;
  // 2 sqrt(2/pi): gelu is x * sigmoid(2u).
  static final float GELU_TWICE = 1.5957691216057308f;
  private static final double LN2 = 0.6931471805599453;

  private ScalarMath() {}

  public static float exp(float x) {
    float shifted = Math.fma(x, LOG2_E, MAGIC);
    float n = shifted - MAGIC;
    float r = Math.fma(n, -LN2_LOW, Math.fma(n, -LN2_HIGH, x));
    float p = Math.fma(r, E6, E5);
    p = Math.fma(p, r, E4);
    p = Math.fma(p, r, E3);
    p = Math.fma(p, r, E2);
    p = Math.fma(p, r, 1f);
    p = Math.fma(p, r, 1f);
    int exponent = Float.floatToRawIntBits(shifted) - MAGIC_BITS;
    // Two factors, because one cannot hold 2^128 or 2^-149.
    int half = exponent >> 1;
    float low = Float.intBitsToFloat((half + 127) << 23);
    float high = Float.intBitsToFloat((exponent - half + 127) << 23);
    float y = p * low * high;
    if (x > EXP_OVERFLOW) {
      return Float.POSITIVE_INFINITY;
    }
    return x < EXP_UNDERFLOW ? 0f : y;
  }

  public static float sigmoid(float x) {
    return 1f / (1f + exp(-x));
  }

  public static float tanh(float x) {
    float a = Math.abs(x);
    float z = x * x;
    float p = Math.fma(z, T11, T9);
    p = Math.fma(p, z, T7);
    p = Math.fma(p, z, T5);
    p = Math.fma(p, z, T3);
    float small = Math.fma(x * z, p, x);
    float large = 1f - 2f / (1f + exp(a + a));
    int bits = Float.floatToRawIntBits(a < TANH_SMALL ? small : large);
    int sign = Float.floatToRawIntBits(x) & Integer.MIN_VALUE;
    return Float.intBitsToFloat((bits & Integer.MAX_VALUE) | sign);
  }

  /** The argument 2u of gelu's sigmoid. */
  static float geluArgument(float x) {
    return GELU_TWICE * x * Math.fma(GELU_CUBIC * x, x, 1f);
  }

  static float gelu(float x) {
    return x * sigmoid(geluArgument(x));
  }

  static float geluGradient(float dy, float x) {
    float s = sigmoid(geluArgument(x));
    float slope = GELU_TWICE * Math.fma(3f * GELU_CUBIC * x, x, 1f);
    return dy * Math.fma(x * s * (1f - s), slope, s);
  }

  static float swiGluGateGradient(float dy, float gate, float up) {
    float s = sigmoid(gate);
    return dy * up * s * Math.fma(gate, 1f - s, 1f);
  }

  /**
   * Natural logarithm of a positive normal double, about 1e-15 relative: StrictMath's would be a
   * native call per row.
   */
  static double log(double x) {
    int exponent = Math.getExponent(x);
    double m = x * Double.longBitsToDouble((long) (1023 - exponent) << 52);
    if (m > 1.4142135623730951) {
      m *= 0.5;
      exponent++;
    }
    double s = (m - 1) / (m + 1);
    double z = s * s;
    double p = 1.0 / 19;
    for (int k = 17; k >= 1; k -= 2) {
      p = p * z + 1.0 / k;
    }
    return exponent * LN2 + 2 * s * p;
  }

  /** Sum of 16 lanes in the fixed order of the house: distance 8, 4, 2, 1. */
  static float fold(float[] lanes) {
    for (int distance = 8; distance > 0; distance >>= 1) {
      for (int i = 0; i < distance; i++) {
        lanes[i] += lanes[i + distance];
      }
    }
    return lanes[0];
  }

  static double fold(double[] lanes) {
    for (int distance = 8; distance > 0; distance >>= 1) {
      for (int i = 0; i < distance; i++) {
        lanes[i] += lanes[i + distance];
      }
    }
    return lanes[0];
  }

  static float reciprocalRoot(double meanSquare, float eps) {
    return (float) (1.0 / Math.sqrt(meanSquare + eps));
  }
}
