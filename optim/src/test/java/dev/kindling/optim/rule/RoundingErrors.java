package dev.kindling.optim.rule;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

/**
 * What rounding to bf16 at random did to many numbers: each error as a share of the distance of the
 * two neighbours, away from zero counted as positive, beside the variance that a fair throw has.
 */
record RoundingErrors(double[] errors, double[] variances) {
  private static final int FRACTION = 7;
  private static final int LEAST_EXPONENT = -126;

  /**
   * Checks that each stored number is one of the two beside the exact one.
   *
   * @param slack how far the fp32 number that was rounded may be from the exact one
   */
  static RoundingErrors of(double[] exact, double[] slack, float[] stored) {
    double[] errors = new double[exact.length];
    double[] variances = new double[exact.length];
    for (int i = 0; i < exact.length; i++) {
      double size = Math.abs(exact[i]);
      double unit = Math.scalb(1.0, Math.max(Math.getExponent(size), LEAST_EXPONENT) - FRACTION);
      double found = Math.copySign(1, exact[i]) * stored[i];
      assertThat(Float.floatToRawIntBits(stored[i]) & 0xFFFF).as("not bf16").isZero();
      assertThat(found)
          .as("element %d, exactly %s", i, exact[i])
          .isBetween(
              Math.floor((size - slack[i]) / unit) * unit,
              Math.ceil((size + slack[i]) / unit) * unit);
      double below = Math.floor(size / unit);
      double share = size / unit - below;
      errors[i] = found / unit - below - share;
      variances[i] = share * (1 - share);
    }
    return new RoundingErrors(errors, variances);
  }

  /** A sum of which nothing is expected, and its standard error. */
  static final class Sum {
    private double sum;
    private double variance;

    void add(RoundingErrors errors) {
      for (int i = 0; i < errors.errors.length; i++) {
        sum += errors.errors[i];
        variance += errors.variances[i];
      }
    }

    /** Errors of the same elements that have nothing to do with each other. */
    void add(RoundingErrors some, RoundingErrors others) {
      for (int i = 0; i < some.errors.length; i++) {
        sum += some.errors[i] * others.errors[i];
        variance += some.variances[i] * others.variances[i];
      }
    }

    void assertNothing(String of) {
      assertThat(variance).as(of).isPositive();
      assertThat(sum / Math.sqrt(variance)).as(of).isCloseTo(0, within(4.0));
    }
  }
}
