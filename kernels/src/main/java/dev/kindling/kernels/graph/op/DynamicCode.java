package dev.kindling.kernels.graph.op;

import java.util.Arrays;

/**
 * 256 numbers in [-1, 1] or [0, 1] that stand for numbers of many sizes: seven decades down from 1,
 * each with twice the resolution of the one below it, 0, and 1 itself.
 *
 * <p>Decade i of 0 to 6, up to 10^(i - 6), is cut into 2^i equal parts between a tenth and the
 * whole of it (2^(i + 1) without a sign), each part standing for its middle. After Dettmers 2016
 * (1511.04561), section 2.3, with the dynamic exponent of Dettmers et al. 2022 (2110.02861),
 * section 1.3 and appendix F.
 */
public final class DynamicCode {
  /** For numbers of both signs. */
  public static final DynamicCode SIGNED = new DynamicCode(true);

  /** For numbers of 0 or more; twice as fine. */
  public static final DynamicCode UNSIGNED = new DynamicCode(false);

  private static final int CODES = 256;
  private static final int DECADES = 7;

  private final float[] numbers = new float[CODES];
  private final float[] limits = new float[CODES - 1];

  private DynamicCode(boolean signed) {
    double[] exact = new double[CODES];
    int count = 0;
    for (int decade = 0; decade < DECADES; decade++) {
      int parts = signed ? 1 << decade : 2 << decade;
      double top = Math.pow(10, decade - (DECADES - 1.0));
      for (int part = 0; part < parts; part++) {
        double number = top * (0.1 + 0.9 * (part + 0.5) / parts);
        exact[count++] = number;
        if (signed) {
          exact[count++] = -number;
        }
      }
    }
    exact[count++] = 0;
    exact[count++] = 1;
    Arrays.sort(exact, 0, count);
    for (int code = 0; code < CODES; code++) {
      numbers[code] = (float) exact[code];
    }
    for (int code = 0; code < CODES - 1; code++) {
      limits[code] = (float) ((exact[code] + exact[code + 1]) / 2);
    }
  }

  /** What the codes 0 to 255 stand for, ascending. */
  public float[] numbers() {
    return numbers.clone();
  }

  /** Middles between neighbours: code c stands for what lies above limit c - 1, up to limit c. */
  public float[] limits() {
    return limits.clone();
  }

  public float number(int code) {
    return numbers[code];
  }

  /** The nearest code of a number, the lower one of two: by halving, eight comparisons. */
  public int code(float number) {
    int code = 0;
    for (int half = CODES / 2; half > 0; half /= 2) {
      code = number > limits[code + half - 1] ? code + half : code;
    }
    return code;
  }
}
