package dev.kindling.optim.rule;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/**
 * One AdamW update in fp64 from what the update before it stored (Loshchilov and Hutter 2019,
 * algorithm 2), and how far fp32 may be from it.
 *
 * @param theta the matrix after the update
 * @param m first moments after it, before they are stored
 * @param v second moments
 * @param slack what fp32 may change of each: its unit times what is added up
 */
record AdamStateReference(double[] theta, double[] m, double[] v, Slack slack) {
  private static final double UNIT = 0x1p-22;

  /** Bounds by element. */
  record Slack(double[] theta, double[] m, double[] v) {
    Slack(int count) {
      this(new double[count], new double[count], new double[count]);
    }
  }

  /**
   * @param old what was stored; left as it is
   * @param g mean gradients
   * @param update number of this update, from 1
   */
  static AdamStateReference after(
      AdamW rule, AdamStateReference old, double[] g, int update, double lrFactor) {
    int count = g.length;
    AdamStateReference now = started(new double[count], new double[count], new double[count]);
    double eta = rule.lr() * lrFactor;
    double c1 = 1 - Math.pow(rule.beta1(), update);
    double c2 = 1 - Math.pow(rule.beta2(), update);
    for (int i = 0; i < count; i++) {
      now.m[i] = rule.beta1() * old.m[i] + (1 - rule.beta1()) * g[i];
      now.v[i] = rule.beta2() * old.v[i] + (1 - rule.beta2()) * g[i] * g[i];
      double root = Math.sqrt(now.v[i] / c2) + rule.eps();
      double moved = eta * now.m[i] / c1 / root;
      now.theta[i] = old.theta[i] - moved - eta * rule.weightDecay() * old.theta[i];
      now.slack.m[i] = UNIT * (Math.abs(old.m[i]) + Math.abs(g[i]));
      now.slack.v[i] = UNIT * (old.v[i] + g[i] * g[i]);
      now.slack.theta[i] =
          UNIT * (Math.abs(old.theta[i]) + 4 * Math.abs(moved)) + eta / c1 / root * now.slack.m[i];
    }
    return now;
  }

  /** What an update begins at. */
  static AdamStateReference started(double[] theta, double[] m, double[] v) {
    return new AdamStateReference(theta, m, v, new Slack(theta.length));
  }

  /**
   * The 256 numbers of a code, ascending, from the words of Dettmers et al. 2022 (2110.02861),
   * section 1.3: a sign, zero bits that count powers of ten, a one, and a linear fraction in the
   * bits that are left; beside them 0 and 1.
   */
  static double[] numbers(boolean signed) {
    List<Double> numbers = new ArrayList<>(List.of(0.0, 1.0));
    for (int zeros = 0; zeros < 7; zeros++) {
      int fractions = 1 << ((signed ? 6 : 7) - zeros);
      for (int fraction = 0; fraction < fractions; fraction++) {
        double middle = Math.pow(10, -zeros) * (0.1 + 0.9 * (fraction + 0.5) / fractions);
        numbers.add(middle);
        if (signed) {
          numbers.add(-middle);
        }
      }
    }
    Collections.sort(numbers);
    return numbers.stream().mapToDouble(Double::doubleValue).toArray();
  }

  /** The number of each element's byte, the first of a word in its lowest one. */
  static double[] decoded(int[] words, double[] numbers, int count) {
    double[] values = new double[count];
    for (int i = 0; i < count; i++) {
      values[i] = numbers[(words[i / 4] >>> (8 * (i % 4))) & 0xFF];
    }
    return values;
  }
}
