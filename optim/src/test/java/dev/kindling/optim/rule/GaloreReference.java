package dev.kindling.optim.rule;

import dev.kindling.kernels.graph.op.Subspace;
import dev.kindling.kernels.random.SketchNumbers;
import java.util.Arrays;
import java.util.Comparator;
import java.util.stream.IntStream;

/**
 * GaLore of one matrix in fp64, from algorithms 1 and 2 of 2403.03507 (written without looking at
 * the kernels): G always turned so that it has no more rows than columns, its singular vectors by
 * Jacobi's rotations of G G'.
 */
final class GaloreReference {
  private final Galore rule;
  private final int rows;
  private final int columns;
  private final double[][] first;
  private final double[][] second;
  private double[][] basis = {};
  private int updates;

  GaloreReference(Galore rule, int rows, int columns) {
    this.rule = rule;
    this.rows = rows;
    this.columns = columns;
    int longer = Math.max(rows, columns);
    first = new double[rule.rank()][longer];
    second = new double[rule.rank()][longer];
  }

  /** P as its columns: [rank][m]. */
  double[][] basis() {
    return basis;
  }

  /** Where row i, column j of the turned matrix lies in the row-major one. */
  int place(int i, int j) {
    return rows < columns ? i * columns + j : j * columns + i;
  }

  private double[][] turned(double[] g) {
    double[][] turned = new double[Math.min(rows, columns)][Math.max(rows, columns)];
    for (int i = 0; i < turned.length; i++) {
      for (int j = 0; j < turned[i].length; j++) {
        turned[i][j] = g[place(i, j)];
      }
    }
    return turned;
  }

  /** One update of theta in place from a mean gradient. */
  void update(double[] theta, double[] g, double lrFactor, boolean decays) {
    double[][] turned = turned(g);
    if (updates % rule.updateInterval() == 0) {
      basis = vectors(turned, rule.rank());
      turnToTheSideOfTheirStart();
    }
    updates++;
    double eta = rule.lr() * lrFactor;
    double[] move = new double[g.length];
    for (int k = 0; k < basis.length; k++) {
      for (int j = 0; j < first[k].length; j++) {
        double r = 0;
        for (int i = 0; i < turned.length; i++) {
          r += basis[k][i] * turned[i][j];
        }
        first[k][j] = rule.beta1() * first[k][j] + (1 - rule.beta1()) * r;
        second[k][j] = rule.beta2() * second[k][j] + (1 - rule.beta2()) * r * r;
        double mean = first[k][j] / (1 - Math.pow(rule.beta1(), updates));
        double square = second[k][j] / (1 - Math.pow(rule.beta2(), updates));
        double n = mean / (Math.sqrt(square) + rule.eps());
        for (int i = 0; i < turned.length; i++) {
          move[place(i, j)] += basis[k][i] * n;
        }
      }
    }
    double keep = decays ? 1 - eta * rule.weightDecay() : 1;
    for (int i = 0; i < theta.length; i++) {
      theta[i] = theta[i] * keep - eta * rule.scale() * move[i];
    }
  }

  private void turnToTheSideOfTheirStart() {
    long key = SketchNumbers.key(rule.seed(), "subspace");
    for (int k = 0; k < basis.length; k++) {
      double along = 0;
      for (int i = 0; i < basis[k].length; i++) {
        along += basis[k][i] * Subspace.start(key, (long) i * basis.length + k);
      }
      for (int i = 0; along < 0 && i < basis[k].length; i++) {
        basis[k][i] = -basis[k][i];
      }
    }
  }

  /** Left singular vectors of the largest values, in falling order: [rank][rows]. */
  static double[][] vectors(double[][] g, int rank) {
    int m = g.length;
    double[][] a = new double[m][m];
    double[][] v = new double[m][m];
    for (int i = 0; i < m; i++) {
      v[i][i] = 1;
      for (int j = 0; j < m; j++) {
        for (int k = 0; k < g[i].length; k++) {
          a[i][j] += g[i][k] * g[j][k];
        }
      }
    }
    for (int sweep = 0; sweep < 40; sweep++) {
      for (int p = 0; p < m; p++) {
        for (int q = p + 1; q < m; q++) {
          rotate(a, v, p, q);
        }
      }
    }
    return IntStream.range(0, m)
        .boxed()
        .sorted(Comparator.comparingDouble(i -> -a[i][i]))
        .limit(rank)
        .map(k -> Arrays.stream(v).mapToDouble(row -> row[k]).toArray())
        .toArray(double[][]::new);
  }

  /** Makes a[p][q] zero by a turn of columns and rows p and q, and turns columns of v alike. */
  private static void rotate(double[][] a, double[][] v, int p, int q) {
    if (a[p][q] == 0) {
      return;
    }
    double theta = 0.5 * Math.atan2(2 * a[p][q], a[q][q] - a[p][p]);
    double c = Math.cos(theta);
    double s = Math.sin(theta);
    for (int k = 0; k < a.length; k++) {
      mix(a[k], p, q, c, s);
      mix(v[k], p, q, c, s);
    }
    for (int k = 0; k < a.length; k++) {
      double x = a[p][k];
      a[p][k] = c * x - s * a[q][k];
      a[q][k] = s * x + c * a[q][k];
    }
  }

  private static void mix(double[] row, int p, int q, double c, double s) {
    double x = row[p];
    row[p] = c * x - s * row[q];
    row[q] = s * x + c * row[q];
  }
}
