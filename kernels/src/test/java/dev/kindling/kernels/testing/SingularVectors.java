package dev.kindling.kernels.testing;

import java.util.Arrays;
import java.util.Comparator;
import java.util.stream.IntStream;

/**
 * Left singular vectors of a matrix in fp64 by one-sided Jacobi rotations (Hestenes 1958): pairs of
 * rows are turned until all are orthogonal to each other.
 */
public final class SingularVectors {
  private static final int SWEEPS = 60;
  private static final double ORTHOGONAL = 1e-15;

  private final double[][] rows;
  private final double[][] turns;

  private SingularVectors(double[][] matrix) {
    rows = Arrays.stream(matrix).map(double[]::clone).toArray(double[][]::new);
    turns = new double[rows.length][rows.length];
    for (int i = 0; i < rows.length; i++) {
      turns[i][i] = 1;
    }
  }

  /**
   * Vectors of the largest singular values in falling order: [rank][rows of the matrix]. Their
   * signs are whatever came out.
   */
  public static double[][] of(double[][] matrix, int rank) {
    SingularVectors jacobi = new SingularVectors(matrix);
    for (int sweep = 0; sweep < SWEEPS && jacobi.turnAll(); sweep++) {
      // Until nothing turns.
    }
    double[] values = Arrays.stream(jacobi.rows).mapToDouble(row -> dot(row, row)).toArray();
    return IntStream.range(0, values.length)
        .boxed()
        .sorted(Comparator.comparingDouble(i -> -values[i]))
        .limit(rank)
        .map(i -> jacobi.turns[i])
        .toArray(double[][]::new);
  }

  public static double dot(double[] a, double[] b) {
    return IntStream.range(0, a.length).mapToDouble(i -> a[i] * b[i]).sum();
  }

  private boolean turnAll() {
    boolean turned = false;
    for (int p = 0; p < rows.length; p++) {
      for (int q = p + 1; q < rows.length; q++) {
        turned |= turn(p, q);
      }
    }
    return turned;
  }

  private boolean turn(int p, int q) {
    double pp = dot(rows[p], rows[p]);
    double qq = dot(rows[q], rows[q]);
    double pq = dot(rows[p], rows[q]);
    if (Math.abs(pq) <= ORTHOGONAL * Math.sqrt(pp * qq)) {
      return false;
    }
    double cotangent = (qq - pp) / (2 * pq);
    double tangent = Math.copySign(1, cotangent) / (Math.abs(cotangent) + Math.hypot(1, cotangent));
    double cosine = 1 / Math.hypot(1, tangent);
    double sine = cosine * tangent;
    mix(rows[p], rows[q], cosine, sine);
    mix(turns[p], turns[q], cosine, sine);
    return true;
  }

  private static void mix(double[] a, double[] b, double cosine, double sine) {
    for (int i = 0; i < a.length; i++) {
      double before = a[i];
      a[i] = cosine * before - sine * b[i];
      b[i] = sine * before + cosine * b[i];
    }
  }
}
