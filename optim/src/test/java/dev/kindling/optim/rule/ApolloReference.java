package dev.kindling.optim.rule;

import dev.kindling.kernels.random.SketchNumbers;

/**
 * APOLLO of one matrix in fp64, from algorithm 1 and section 4 of 2412.05270 (written without
 * looking at the kernels): plain matrices, G always turned so that its columns are channels.
 */
final class ApolloReference {
  private final Apollo rule;
  private final int rows;
  private final int columns;
  private final boolean turned;
  private final double[][] first;
  private final double[][] second;
  private final long key;
  private double norm;
  private int updates;

  /** Of the last update: what the factor of each channel was, and the norm of U without alpha. */
  double[] factors = {};

  double length;

  ApolloReference(Apollo rule, String name, int rows, int columns) {
    this.rule = rule;
    this.rows = rows;
    this.columns = columns;
    turned = rows >= columns;
    int channels = Math.max(rows, columns);
    first = new double[rule.rank()][channels];
    second = new double[rule.rank()][channels];
    key = SketchNumbers.key(rule.seed(), name);
  }

  /** P of this update, rank x m, entries N(0, 1 / rank). */
  double[][] projection(int update) {
    int m = Math.min(rows, columns);
    double[][] p = new double[rule.rank()][m];
    long drawing = (update - 1L) / rule.updateInterval();
    for (int k = 0; k < rule.rank(); k++) {
      for (int i = 0; i < m; i++) {
        p[k][i] =
            SketchNumbers.number(key, drawing, (long) i * rule.rank() + k) / Math.sqrt(rule.rank());
      }
    }
    return p;
  }

  /** R = P G, rank x channels. */
  double[][] sketch(double[] g, int update) {
    double[][] p = projection(update);
    double[][] r = new double[rule.rank()][first[0].length];
    for (int k = 0; k < r.length; k++) {
      for (int j = 0; j < r[k].length; j++) {
        for (int i = 0; i < p[k].length; i++) {
          r[k][j] += p[k][i] * g[place(i, j)];
        }
      }
    }
    return r;
  }

  /** Where element i of channel j lies in the row-major matrix. */
  int place(int i, int j) {
    return turned ? j * columns + i : i * columns + j;
  }

  static double norm(double[][] matrix, int column) {
    double squares = 0;
    for (double[] row : matrix) {
      for (int j = 0; j < row.length; j++) {
        squares += column < 0 || column == j ? row[j] * row[j] : 0;
      }
    }
    return Math.sqrt(squares);
  }

  /** One update of theta in place from a mean gradient. */
  void update(double[] theta, double[] g, double lrFactor, boolean decays) {
    double[][] r = sketch(g, ++updates);
    double[][] stretched = new double[r.length][r[0].length];
    for (int k = 0; k < r.length; k++) {
      for (int j = 0; j < r[k].length; j++) {
        first[k][j] = rule.beta1() * first[k][j] + (1 - rule.beta1()) * r[k][j];
        second[k][j] = rule.beta2() * second[k][j] + (1 - rule.beta2()) * r[k][j] * r[k][j];
        stretched[k][j] = first[k][j] / (Math.sqrt(second[k][j]) + rule.eps());
      }
    }
    boolean tensor = rule.granularity() == Granularity.TENSOR;
    factors = new double[r[0].length];
    for (int j = 0; j < factors.length; j++) {
      int column = tensor ? -1 : j;
      factors[j] = norm(stretched, column) / (norm(r, column) + 1e-8);
    }
    move(theta, g, rule.lr() * lrFactor, decays);
  }

  private void move(double[] theta, double[] g, double eta, boolean decays) {
    double m = Math.min(rows, columns);
    double alpha = Math.sqrt(rule.scale().orElse(m / rule.rank()));
    double[] u = new double[g.length];
    double squares = 0;
    for (int j = 0; j < factors.length; j++) {
      for (int i = 0; i < m; i++) {
        u[place(i, j)] = factors[j] * g[place(i, j)] * (rule.scaleFront() ? alpha : 1);
        squares += u[place(i, j)] * u[place(i, j)];
      }
    }
    double limit = 1;
    if (rule.normGrowth() > 0) {
      double growth = Math.sqrt(squares) / (norm + 1e-8);
      limit = norm == 0 ? 1 : Math.max(growth, rule.normGrowth()) / rule.normGrowth();
      norm = Math.sqrt(squares) / limit;
    }
    length = Math.sqrt(squares) / limit;
    double corrected =
        eta
            * Math.sqrt(1 - Math.pow(rule.beta2(), updates))
            / (1 - Math.pow(rule.beta1(), updates));
    for (int i = 0; i < theta.length; i++) {
      theta[i] -= corrected * (rule.scaleFront() ? 1 : alpha) * u[i] / limit;
      theta[i] -= decays ? eta * rule.weightDecay() * theta[i] : 0;
    }
  }
}
