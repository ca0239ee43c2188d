package dev.kindling.optim.outer;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Local-update methods in fp64, each from its paper's own sentences: parameters travel, not
 * displacements, and every iterate that a formula names is kept.
 */
final class OuterReference {
  private final Quadratics problem;
  private final int steps;

  /** Weights of replica 0 at the start of rounds 0, 1, ... */
  final List<double[]> starts = new ArrayList<>();

  OuterReference(Quadratics problem, int steps) {
    this.problem = problem;
    this.steps = steps;
  }

  private double[] end(int replica, double[] start, double lr) {
    return problem.descended(replica, start, lr, steps);
  }

  private double[] meanEnd(double[] start, double lr) {
    int replicas = problem.centres().length;
    double[][] ends = new double[replicas][];
    for (int i = 0; i < replicas; i++) {
      ends[i] = end(i, start, lr);
    }
    return mean(ends);
  }

  static double[] mean(double[][] of) {
    double[] mean = new double[of[0].length];
    for (double[] each : of) {
      for (int e = 0; e < mean.length; e++) {
        mean[e] += each[e] / of.length;
      }
    }
    return mean;
  }

  /** Local SGD: the weights are averaged. */
  OuterReference localSgd(double[] x0, double lr, int rounds) {
    starts.add(x0);
    for (int t = 0; t < rounds; t++) {
      starts.add(meanEnd(starts.get(t), lr));
    }
    return this;
  }

  /** SlowMo, algorithm 1: u = beta u + (x - mean) / lr; x = x - alpha lr u. */
  OuterReference slowMo(double[] x0, double[] lrs, double alpha, double beta) {
    starts.add(x0);
    double[] u = new double[x0.length];
    for (int t = 0; t < lrs.length; t++) {
      double[] x = starts.get(t);
      double[] mean = meanEnd(x, lrs[t]);
      double[] next = new double[x.length];
      for (int e = 0; e < u.length; e++) {
        u[e] = beta * u[e] + (x[e] - mean[e]) / lrs[t];
        next[e] = x[e] - alpha * lrs[t] * u[e];
      }
      starts.add(next);
    }
    return this;
  }

  /** DiLoCo with torch.optim.SGD(nesterov) as the outer optimizer. */
  OuterReference diLoCo(double[] x0, double lr, int rounds, double alpha, double beta) {
    starts.add(x0);
    double[] buffer = new double[x0.length];
    for (int t = 0; t < rounds; t++) {
      double[] x = starts.get(t);
      double[] mean = meanEnd(x, lr);
      double[] next = new double[x.length];
      for (int e = 0; e < x.length; e++) {
        double g = x[e] - mean[e];
        buffer[e] = beta * buffer[e] + g;
        next[e] = x[e] - alpha * (g + beta * buffer[e]);
      }
      starts.add(next);
    }
    return this;
  }

  /** CO2: steps W, M, U with the mean of the round before; lambda is what it divides by. */
  OuterReference co2(double[] x0, double lr, int rounds, Co2 method) {
    starts.add(x0);
    List<double[]> means = new ArrayList<>();
    double[] m = new double[x0.length];
    for (int t = 0; t < rounds; t++) {
      double[] x = starts.get(t);
      means.add(meanEnd(x, lr));
      boolean sync = t == 0 && method.first() == FirstRound.SYNC;
      double[] next = x.clone();
      if (t > 0 || sync) {
        int arrived = sync ? 0 : t - 1;
        double lambda = lambda(method, t, lr, arrived);
        for (int e = 0; e < m.length; e++) {
          double d = starts.get(arrived)[e] - means.get(arrived)[e];
          m[e] = method.beta() * m[e] + d / lambda;
          next[e] = x[e] - method.alpha() * m[e];
        }
      }
      starts.add(next);
    }
    return this;
  }

  /** co2.md 3.1, from iterates: 1 + |x_t - x_t-1| / (tau s_t-1). */
  private double lambda(Co2 method, int t, double lr, int arrived) {
    if (method.penalty() == Penalty.CONSTANT) {
      return method.lambda();
    }
    if (t == 0) {
      return 1;
    }
    double[] stale = starts.get(arrived);
    double squares = 0;
    for (int i = 0; i < problem.centres().length; i++) {
      double[] first = problem.descended(i, stale, lr, 1);
      squares += squared(first, stale) / problem.centres().length;
    }
    return 1 + Math.sqrt(squared(starts.get(t), stale)) / (steps * Math.sqrt(squares) + 1e-12);
  }

  private static double squared(double[] a, double[] b) {
    double sum = 0;
    for (int e = 0; e < a.length; e++) {
      sum += (a[e] - b[e]) * (a[e] - b[e]);
    }
    return sum;
  }

  /**
   * Late with a fresh part of weight c: replica i follows c D_i,t + mean_t-1 - c D_i,t-1 with
   * Nesterov's momentum. Returns the starts of all replicas after each round.
   */
  List<double[][]> own(double[] x0, double lr, int rounds, double c, double alpha, double beta) {
    int replicas = problem.centres().length;
    double[][] x = new double[replicas][];
    double[][] m = new double[replicas][x0.length];
    double[][] before = new double[replicas][x0.length];
    Arrays.setAll(x, i -> x0.clone());
    List<double[][]> after = new ArrayList<>();
    for (int t = 0; t < rounds; t++) {
      double[] arrived = mean(before);
      double[][] next = new double[replicas][x0.length];
      double[][] moved = new double[replicas][x0.length];
      for (int i = 0; i < replicas; i++) {
        double[] end = end(i, x[i], lr);
        for (int e = 0; e < x0.length; e++) {
          moved[i][e] = x[i][e] - end[e];
          double u = c * moved[i][e] + arrived[e] - c * before[i][e];
          m[i][e] = beta * m[i][e] + u;
          next[i][e] = x[i][e] - alpha * (u + beta * m[i][e]);
        }
      }
      x = next;
      before = moved;
      after.add(next);
    }
    return after;
  }
}
