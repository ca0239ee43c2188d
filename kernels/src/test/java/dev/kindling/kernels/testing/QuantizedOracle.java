package dev.kindling.kernels.testing;

import dev.kindling.kernels.graph.StepScalar;
import dev.kindling.kernels.graph.op.QuantizedAdamW;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/** Moments of 8 bits: the codes from the paper's words, the nearest one found by looking at all. */
final class QuantizedOracle {
  private QuantizedOracle() {}

  /**
   * Dettmers et al. 2022, section 1.3: a sign, zero bits that count powers of ten, a one, and a
   * linear fraction in what is left; beside them 0 and 1.
   */
  static double[] numbers(boolean signed) {
    List<Double> numbers = new ArrayList<>(List.of(0.0, 1.0));
    int bits = signed ? 7 : 8;
    for (int zeros = 0; zeros < 7; zeros++) {
      int fractions = 1 << (bits - 1 - zeros);
      for (int fraction = 0; fraction < fractions; fraction++) {
        double low = 0.1 + 0.9 * fraction / fractions;
        double high = 0.1 + 0.9 * (fraction + 1) / fractions;
        double number = Math.pow(10, -zeros) * (low + high) / 2;
        numbers.add(number);
        if (signed) {
          numbers.add(-number);
        }
      }
    }
    Collections.sort(numbers);
    return numbers.stream().mapToDouble(Double::doubleValue).toArray();
  }

  /**
   * Dettmers et al. 2023, appendix E: quantiles of the normal distribution at equal distances from
   * 0.9677083 to 1/2, eight upwards and seven downwards, over the largest, and 0.
   */
  private static final double[] LEVELS = {
    -1,
    -0.696192801,
    -0.525073051,
    -0.394917488,
    -0.284441382,
    -0.184773430,
    -0.091050036,
    0,
    0.079580300,
    0.160930201,
    0.246112302,
    0.337915242,
    0.440709829,
    0.562617004,
    0.722956836,
    1
  };

  static List<double[]> nf4(Oracle.Call call) {
    double[] matrix = new double[(int) call.outputTypes().get(0).shape().elements()];
    double[] numbers = numbers(true);
    for (int i = 0; i < matrix.length; i++) {
      int block = i / 64;
      int eight = ((int) call.in(0)[i / 8] >> (8 * (i % 8 / 2))) & 255;
      int code = i % 2 == 0 ? eight / 16 : eight % 16;
      int scale = ((int) call.in(1)[block / 4] >> (8 * (block % 4))) & 255;
      double largest = numbers[scale] * call.in(2)[1 + block / 256] + call.in(2)[0];
      matrix[i] = LEVELS[code] * largest;
    }
    return List.of(matrix);
  }

  static List<double[]> adamW(Oracle.Call call) {
    QuantizedAdamW op = (QuantizedAdamW) call.op();
    double[] p = call.in(0).clone();
    double[] mWords = call.in(2).clone();
    double[] vWords = call.in(3).clone();
    double[] scales = call.in(4).clone();
    double scale = call.in(5)[0];
    if (scale == 0) {
      return List.of(p, mWords, vWords, scales);
    }
    int blocks = scales.length / 2;
    double[] m = decode(mWords, scales, 0, numbers(true), p.length);
    double[] v = decode(vWords, scales, blocks, numbers(false), p.length);
    double[] step = call.in(6);
    double rate = step[StepScalar.LEARNING_RATE.ordinal()];
    for (int i = 0; i < p.length; i++) {
      double g = scale * call.in(1)[i];
      m[i] = op.beta1() * m[i] + (1.0 - op.beta1()) * g;
      v[i] = op.beta2() * v[i] + (1.0 - op.beta2()) * g * g;
      double mHat = m[i] / step[StepScalar.BIAS_CORRECTION1.ordinal()];
      double vHat = v[i] / step[StepScalar.BIAS_CORRECTION2.ordinal()];
      p[i] -= rate * (mHat / (Math.sqrt(vHat) + op.eps()) + op.weightDecay() * p[i]);
    }
    encode(m, mWords, scales, 0, numbers(true));
    encode(v, vWords, scales, blocks, numbers(false));
    return List.of(p, mWords, vWords, scales);
  }

  private static double[] decode(
      double[] words, double[] scales, int firstScale, double[] numbers, int count) {
    double[] values = new double[count];
    for (int i = 0; i < count; i++) {
      int code = (int) words[i / 4] >>> (8 * (i % 4)) & 0xFF;
      values[i] = numbers[code] * scales[firstScale + i / 256];
    }
    return values;
  }

  private static void encode(
      double[] values, double[] words, double[] scales, int firstScale, double[] numbers) {
    for (int block = 0; block * 256 < values.length; block++) {
      double largest = 0;
      int end = Math.min(values.length, (block + 1) * 256);
      for (int i = block * 256; i < end; i++) {
        largest = Math.max(largest, Math.abs(values[i]));
      }
      scales[firstScale + block] = largest;
    }
    int[] packed = new int[words.length];
    for (int i = 0; i < values.length; i++) {
      double largest = scales[firstScale + i / 256];
      int code = nearest(largest == 0 ? 0 : values[i] / largest, numbers);
      packed[i / 4] |= code << (8 * (i % 4));
    }
    for (int i = 0; i < words.length; i++) {
      words[i] = packed[i];
    }
  }

  private static int nearest(double value, double[] numbers) {
    int best = 0;
    for (int code = 1; code < numbers.length; code++) {
      if (Math.abs(numbers[code] - value) < Math.abs(numbers[best] - value)) {
        best = code;
      }
    }
    return best;
  }
}
