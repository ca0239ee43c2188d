package dev.kindling.benchmarks;

import java.nio.FloatBuffer;

/**
 * Values that differ by rank and element, and the test of an all-reduced buffer against their fp64
 * sum.
 *
 * @param ranks number of ranks
 */
record AllReduceCheck(int ranks) {
  /** Half the distance from 1 to the next fp32 number. */
  private static final double ROUNDING = 0x1p-24;

  /** A value in [-1/3, 1/3); thirds have no short binary form, so that sums do round. */
  static float value(int rank, int element) {
    long mixed = (rank + 1) * 0x9E3779B97F4A7C15L + element;
    mixed = (mixed ^ (mixed >>> 30)) * 0xBF58476D1CE4E5B9L;
    mixed = (mixed ^ (mixed >>> 27)) * 0x94D049BB133111EBL;
    return (mixed >> 40) * 0x1p-23f / 3f;
  }

  static void fill(int rank, FloatBuffer data) {
    for (int i = 0; i < data.capacity(); i++) {
      data.put(i, value(rank, i));
    }
  }

  /**
   * Any order of summation errs by at most {@code (ranks - 1) * 2^-24} of the sum of magnitudes, to
   * first order.
   *
   * @throws IllegalStateException naming the engine and the first wrong element
   */
  void require(String engine, FloatBuffer found) {
    for (int i = 0; i < found.capacity(); i++) {
      double sum = 0;
      double magnitude = 0;
      for (int rank = 0; rank < ranks; rank++) {
        sum += value(rank, i);
        magnitude += Math.abs(value(rank, i));
      }
      double error = Math.abs(found.get(i) - sum);
      // Not a comparison with >: an error that is no number must fail too.
      if (!(error <= (ranks - 1) * ROUNDING * magnitude * 1.001)) {
        throw new IllegalStateException(
            "%s: wrong sum at element %d: expected %s, found %s"
                .formatted(engine, i, sum, found.get(i)));
      }
    }
  }
}
