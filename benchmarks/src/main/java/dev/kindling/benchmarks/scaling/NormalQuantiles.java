package dev.kindling.benchmarks.scaling;

/**
 * Quantiles of the standard normal distribution, found by adding up its density: the same bits on
 * every JVM, and a sample is a look-up.
 */
final class NormalQuantiles {
  /** Mass beyond is 6e-9, which the look-ups in use never reach. */
  private static final double END = 5.7;

  private static final int CELLS = 1 << 17;

  private NormalQuantiles() {}

  /** The quantiles of (i + 1/2) / count. */
  static double[] of(int count) {
    double width = 2 * END / CELLS;
    double scale = width / StrictMath.sqrt(2 * StrictMath.PI);
    double[] quantiles = new double[count];
    double below = 0;
    int next = 0;
    for (int cell = 0; cell < CELLS && next < count; cell++) {
      double left = -END + cell * width;
      double middle = left + width / 2;
      double mass = scale * StrictMath.exp(-middle * middle / 2);
      while (next < count && below + mass >= (next + 0.5) / count) {
        quantiles[next] = left + width * ((next + 0.5) / count - below) / mass;
        next++;
      }
      below += mass;
    }
    while (next < count) {
      quantiles[next++] = END;
    }
    return quantiles;
  }

  /** Factors of mean 1 with this relative deviation, log-normal so that no time is negative. */
  static double[] factors(int count, double deviation) {
    double[] factors = of(count);
    double sigma = StrictMath.sqrt(StrictMath.log(1 + deviation * deviation));
    double sum = 0;
    for (int i = 0; i < count; i++) {
      factors[i] = StrictMath.exp(sigma * factors[i]);
      sum += factors[i];
    }
    for (int i = 0; i < count; i++) {
      factors[i] *= count / sum;
    }
    return factors;
  }
}
