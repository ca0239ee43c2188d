package dev.kindling.optim.outer;

/**
 * The linear stability of an outer step. Along a direction of curvature h, equal replicas move by D
 * = a x in a round, a = 1 - (1 - lr h)^steps in (0, 1]. A step along share D_t + (1 - share) D_t-1
 * has the characteristic polynomial
 *
 * <pre>
 * z (z - 1)(z - beta) + rate a n(z) (share z + 1 - share),   n(z) = z, nesterov: (1 + beta) z - beta
 * </pre>
 *
 * <p>and is stable while all roots lie inside the unit circle. For a heavy ball that is rate a (1 -
 * share) < 1 - beta and rate a (2 share - 1) < 2 (1 + beta).
 */
final class Stability {
  /** No method is stable beyond: a blocking heavy ball ends at 2 (1 + beta) < 4. */
  private static final double END = 4;

  private static final int SCAN = 4096;

  private Stability() {}

  /** The least unstable rate for a = 1, up to rounding; smaller a leave more room. */
  static double largestRate(double beta, boolean nesterov, double share) {
    double stable = 0;
    double unstable = END;
    for (int i = 1; i < SCAN; i++) {
      double rate = END * i / SCAN;
      if (!isStable(rate, beta, nesterov, share)) {
        unstable = rate;
        break;
      }
      stable = rate;
    }
    for (int i = 0; i < 60; i++) {
      double middle = (stable + unstable) / 2;
      if (isStable(middle, beta, nesterov, share)) {
        stable = middle;
      } else {
        unstable = middle;
      }
    }
    return unstable;
  }

  /**
   * The least unstable rate of differences between replicas that apply all of their own
   * displacement at once, for a = 1: these follow z^2 + (rate a (1 + beta) - beta) z - rate a beta,
   * a heavy ball's z = beta - rate a, so half of what their mean bears.
   */
  static double largestRateOfDifferences(double beta, boolean nesterov) {
    return nesterov ? (1 + beta) / (1 + 2 * beta) : 1 + beta;
  }

  /** Jury's criterion for z^3 + p z^2 + q z + r. */
  private static boolean isStable(double rate, double beta, boolean nesterov, double share) {
    double lead = nesterov ? 1 + beta : 1;
    double tail = nesterov ? -beta : 0;
    double p = -(1 + beta) + rate * lead * share;
    double q = beta + rate * (lead * (1 - share) + tail * share);
    double r = rate * tail * (1 - share);
    return 1 + p + q + r > 0
        && 1 - p + q - r > 0
        && Math.abs(r) < 1
        && 1 - r * r > Math.abs(q - r * p);
  }
}
