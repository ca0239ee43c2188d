package dev.kindling.optim.rule;

/**
 * Rules for matrices in fp64, from the papers (written without looking at the kernels): Jordan et
 * al. 2024 with Liu et al. 2025, section 2; Shazeer and Stern 2018, algorithm 4.
 */
final class MatrixReference {
  private static final int ROWS = 3;
  private static final int COLUMNS = 2;

  private MatrixReference() {}

  /** The matrix [3, 2] of {@link UpdateBench}. */
  static void muon(Muon muon, double[] g, UpdateReference of, double eta) {
    muon(muon, g, of.parameters(), of.first(), new int[] {ROWS, COLUMNS}, eta);
  }

  /** The first elements as a matrix of this shape, with their decay. */
  static void muon(
      Muon muon, double[] g, double[] theta, double[] momentum, int[] shape, double eta) {
    int count = shape[0] * shape[1];
    double beta = muon.momentum();
    double[][] x = new double[shape[0]][shape[1]];
    for (int i = 0; i < count; i++) {
      momentum[i] = beta * momentum[i] + (1 - beta) * g[i];
      double ahead = beta * momentum[i] + (1 - beta) * g[i];
      x[i / shape[1]][i % shape[1]] = muon.nesterov() ? ahead : momentum[i];
    }
    double[][] o = orthogonal(x, muon.steps());
    double length =
        switch (muon.scale()) {
          case MATCH_RMS -> 0.2 * Math.sqrt(Math.max(shape[0], shape[1]));
          case ORIGINAL -> Math.sqrt(Math.max(1.0, (double) shape[0] / shape[1]));
        };
    for (int i = 0; i < count; i++) {
      double step = length * o[i / shape[1]][i % shape[1]];
      theta[i] -= eta * (step + muon.weightDecay() * theta[i]);
    }
  }

  /** Newton-Schulz on X / |X|, always as (a I + b X X' + c (X X')^2) X. */
  static double[][] orthogonal(double[][] matrix, int steps) {
    double squares = 0;
    for (double[] row : matrix) {
      for (double each : row) {
        squares += each * each;
      }
    }
    double[][] x = new double[matrix.length][matrix[0].length];
    for (int i = 0; i < x.length; i++) {
      for (int j = 0; j < x[0].length; j++) {
        x[i][j] = matrix[i][j] / Math.sqrt(squares);
      }
    }
    for (int step = 0; step < steps; step++) {
      double[][] gram = times(x, transposed(x));
      double[][] square = times(gram, gram);
      double[][] polynomial = new double[gram.length][gram.length];
      for (int i = 0; i < gram.length; i++) {
        for (int j = 0; j < gram.length; j++) {
          double identity = i == j ? 3.4445 : 0;
          polynomial[i][j] = identity - 4.7750 * gram[i][j] + 2.0315 * square[i][j];
        }
      }
      x = times(polynomial, x);
    }
    return x;
  }

  static double[][] times(double[][] a, double[][] b) {
    double[][] product = new double[a.length][b[0].length];
    for (int i = 0; i < a.length; i++) {
      for (int j = 0; j < b[0].length; j++) {
        for (int k = 0; k < b.length; k++) {
          product[i][j] += a[i][k] * b[k][j];
        }
      }
    }
    return product;
  }

  static double[][] transposed(double[][] a) {
    double[][] transposed = new double[a[0].length][a.length];
    for (int i = 0; i < a.length; i++) {
      for (int j = 0; j < a[0].length; j++) {
        transposed[j][i] = a[i][j];
      }
    }
    return transposed;
  }

  /** The matrix by its rows' and columns' sums; the vector with a moment per element. */
  static void adafactor(Adafactor rule, double[] g, UpdateReference of, double eta) {
    double[] theta = of.parameters();
    double[] rows = of.first();
    double[] columns = of.second();
    double beta2 = 1 - Math.pow(of.updates(), -rule.beta2Decay());
    double rho = rule.relativeStep() ? Math.min(eta, 1 / Math.sqrt(of.updates())) : eta;
    double[] u = new double[g.length];
    double total = 0;
    for (int i = 0; i < ROWS; i++) {
      double sum = 0;
      for (int j = 0; j < COLUMNS; j++) {
        sum += g[i * COLUMNS + j] * g[i * COLUMNS + j] + rule.eps1();
      }
      rows[i] = beta2 * rows[i] + (1 - beta2) * sum;
      total += rows[i];
    }
    for (int j = 0; j < COLUMNS; j++) {
      double sum = 0;
      for (int i = 0; i < ROWS; i++) {
        sum += g[i * COLUMNS + j] * g[i * COLUMNS + j] + rule.eps1();
      }
      columns[j] = beta2 * columns[j] + (1 - beta2) * sum;
    }
    for (int i = 0; i < UpdateBench.DECAYED; i++) {
      u[i] = g[i] / Math.sqrt(rows[i / COLUMNS] * columns[i % COLUMNS] / total);
    }
    for (int i = UpdateBench.DECAYED; i < g.length; i++) {
      columns[i] = beta2 * columns[i] + (1 - beta2) * (g[i] * g[i] + rule.eps1());
      u[i] = g[i] / Math.sqrt(columns[i]);
    }
    descend(rule, u, theta, 0, UpdateBench.DECAYED, rho);
    descend(rule, u, theta, UpdateBench.DECAYED, g.length, rho);
  }

  private static void descend(
      Adafactor rule, double[] u, double[] theta, int from, int to, double rho) {
    double clipped = Math.max(1, rms(u, from, to) / rule.clipThreshold());
    double size = rule.scaleParameter() ? Math.max(rule.eps2(), rms(theta, from, to)) : 1;
    for (int i = from; i < to; i++) {
      theta[i] -= rho * (size * u[i] / clipped + UpdateReference.decay(rule, i) * theta[i]);
    }
  }

  private static double rms(double[] values, int from, int to) {
    double squares = 0;
    for (int i = from; i < to; i++) {
      squares += values[i] * values[i];
    }
    return Math.sqrt(squares / (to - from));
  }
}
