package dev.kindling.optim.rule;

import static dev.kindling.optim.rule.ApolloTest.doubles;
import static dev.kindling.optim.rule.ApolloTest.norm;
import static dev.kindling.optim.rule.ApolloTest.normal;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.kindling.kernels.graph.Demand;
import dev.kindling.kernels.graph.Init;
import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.graph.PlanException;
import dev.kindling.kernels.graph.Shape;
import java.util.Arrays;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** Invariants of GaLore, and 100 updates against fp64 with exact singular vectors. */
class GaloreTest {
  private static final long SEED = Long.getLong("seed", 20261128L);
  private static final double LR = 0.01;
  private static final int INTERVAL = 30;
  private static final int[][] SHAPES = {{12, 20}, {20, 12}, {16, 16}, {7, 33}};

  private static Galore galore(int rank, double decay, int iterations) {
    return new Galore(
        LR, 0.9, 0.999, 1e-8, decay, 0, rank, 0.25, INTERVAL, iterations, 5, Optional.empty());
  }

  /** Rows that are orthogonal to each other and of length 1. */
  private static double[][] orthonormal(Random random, int count, int width) {
    double[][] rows = new double[count][width];
    for (int k = 0; k < count; k++) {
      double[] row = random.doubles(width, -1, 1).toArray();
      for (int l = 0; l < k; l++) {
        double along = dot(row, rows[l]);
        double[] other = rows[l];
        Arrays.setAll(row, i -> row[i] - along * other[i]);
      }
      double length = norm(row);
      rows[k] = Arrays.stream(row).map(x -> x / length).toArray();
    }
    return rows;
  }

  private static double dot(double[] a, double[] b) {
    double sum = 0;
    for (int i = 0; i < a.length; i++) {
      sum += a[i] * b[i];
    }
    return sum;
  }

  /** A matrix of singular values size, size / 2, size / 4, ... in directions of its own. */
  private static float[] separated(Random random, int[] shape, double size) {
    int values = Math.min(7, Math.min(shape[0], shape[1]));
    double[][] left = orthonormal(random, values, shape[0]);
    double[][] right = orthonormal(random, values, shape[1]);
    float[] matrix = new float[shape[0] * shape[1]];
    for (int i = 0; i < matrix.length; i++) {
      double sum = 0;
      for (int k = 0; k < values; k++) {
        sum += Math.scalb(left[k][i / shape[1]] * right[k][i % shape[1]], -k);
      }
      matrix[i] = (float) (size * sum);
    }
    return matrix;
  }

  private static double[] state(MatrixBench bench, String suffix) {
    for (StateVariable variable : bench.variables()) {
      if (variable.suffix().equals(suffix)) {
        return doubles(bench.state(variable));
      }
    }
    throw new AssertionError(suffix);
  }

  /** Columns of the basis. */
  private static double[][] basis(MatrixBench bench, int rank) {
    double[] flat = state(bench, "basis");
    double[][] columns = new double[rank][flat.length / rank];
    for (int i = 0; i < flat.length; i++) {
      columns[i % rank][i / rank] = flat[i];
    }
    return columns;
  }

  @Test
  void hundredUpdatesAcrossRefreshesFollowThePaperInDoublePrecision() {
    for (int[] shape : SHAPES) {
      for (Galore rule : new Galore[] {galore(4, 0.1, 30), galore(1, 0, 30), galore(6, 0, 30)}) {
        Random random = new Random(SEED);
        float[] start = normal(random, shape[0] * shape[1], 1);
        double[] expected = doubles(start);
        GaloreReference reference = new GaloreReference(rule, shape[0], shape[1]);
        try (MatrixBench bench = new MatrixBench(rule, shape[0], shape[1])) {
          bench.start(start);
          for (int update = 1; update <= 100; update++) {
            float[] gradient = separated(random, shape, 0.1 * (1 + update % 5));
            double factor = 0.5 + 0.5 * (update % 7) / 7;
            bench.update(gradient, 0.5f, update, factor);
            double[] mean = Arrays.stream(doubles(gradient)).map(x -> 0.5 * x).toArray();
            reference.update(expected, mean, factor, true);
          }
          String what = rule + " " + Arrays.toString(shape);
          ApolloTest.assertClose(bench.weights(), expected, 5e-5, what);
        }
      }
    }
  }

  private static void assertOrthonormal(double[][] columns) {
    for (int k = 0; k < columns.length; k++) {
      for (int l = 0; l <= k; l++) {
        assertThat(dot(columns[k], columns[l])).isCloseTo(k == l ? 1 : 0, within(1e-6));
      }
    }
  }

  @Test
  void theBasisIsOrthonormalAndSpansTheSingularVectors() {
    for (int[] shape : SHAPES) {
      Random random = new Random(SEED);
      float[] gradient = separated(random, shape, 1e-3);
      try (MatrixBench bench = new MatrixBench(galore(4, 0, 20), shape[0], shape[1])) {
        bench.update(gradient, 1, 1.0);
        double[][] found = basis(bench, 4);
        assertOrthonormal(found);
        GaloreReference reference = new GaloreReference(galore(4, 0, 20), shape[0], shape[1]);
        reference.update(new double[gradient.length], doubles(gradient), 1, false);
        double overlap = 0;
        for (int k = 0; k < 4; k++) {
          for (int l = 0; l < 4; l++) {
            overlap += Math.pow(dot(found[k], reference.basis()[l]), 2);
          }
          assertThat(dot(found[k], reference.basis()[k])).isCloseTo(1, within(1e-6));
        }
        // The squared cosines of the angles between both subspaces add up to their dimension.
        assertThat(overlap).isCloseTo(4, within(1e-6));
      }
    }
  }

  /** Few iterations find subspaces that hold nearly as much of a flat spectrum as the best one. */
  @Test
  void theDefaultIterationsHoldNearlyAllThatAnySubspaceCan() {
    int[] shape = {48, 96};
    float[] gradient = normal(new Random(SEED), shape[0] * shape[1], 1);
    GaloreReference reference = new GaloreReference(galore(12, 0, 1), shape[0], shape[1]);
    reference.update(new double[gradient.length], doubles(gradient), 1, false);
    int usual = (int) Galore.defaults().get("iterations");
    try (MatrixBench bench = new MatrixBench(galore(12, 0, usual), shape[0], shape[1])) {
      bench.update(gradient, 1, 1.0);
      double found = held(basis(bench, 12), gradient, shape[1]);
      double best = held(reference.basis(), gradient, shape[1]);
      assertThat(found / best).isBetween(0.97, 1 + 1e-6);
    }
  }

  /** Squared length of the gradient's part in the subspace of a wide matrix. */
  private static double held(double[][] basis, float[] gradient, int columns) {
    double squares = 0;
    for (double[] direction : basis) {
      for (int j = 0; j < columns; j++) {
        double along = 0;
        for (int i = 0; i < direction.length; i++) {
          along += direction[i] * gradient[i * columns + j];
        }
        squares += along * along;
      }
    }
    return squares;
  }

  /** The first N is a matrix of signs, and P keeps lengths. */
  @Test
  void theFirstUpdateIsAsLongAsAMatrixOfSigns() {
    for (int[] shape : SHAPES) {
      float[] gradient = normal(new Random(SEED), shape[0] * shape[1], 1);
      try (MatrixBench bench = new MatrixBench(galore(5, 0, 8), shape[0], shape[1])) {
        bench.update(gradient, 1, 1.0);
        double expected = LR * 0.25 * Math.sqrt(5.0 * Math.max(shape[0], shape[1]));
        assertThat(norm(doubles(bench.weights()))).isCloseTo(expected, within(1e-4 * expected));
      }
    }
  }

  @Test
  void aTransposedMatrixTakesTheTransposedWay() {
    int rows = 9;
    int columns = 14;
    Random random = new Random(SEED);
    try (MatrixBench wide = new MatrixBench(galore(3, 0.1, 8), rows, columns);
        MatrixBench tall = new MatrixBench(galore(3, 0.1, 8), columns, rows)) {
      float[] start = normal(random, rows * columns, 1);
      wide.start(start);
      tall.start(transposed(start, rows, columns));
      for (int update = 1; update <= 40; update++) {
        float[] gradient = normal(random, rows * columns, 1);
        wide.update(gradient, update, 1.0);
        tall.update(transposed(gradient, rows, columns), update, 1.0);
      }
      assertThat(tall.weights()).isEqualTo(transposed(wide.weights(), rows, columns));
      assertThat(state(tall, "basis")).isEqualTo(state(wide, "basis"));
    }
  }

  private static float[] transposed(float[] matrix, int rows, int columns) {
    float[] turned = new float[matrix.length];
    for (int i = 0; i < matrix.length; i++) {
      turned[i % columns * rows + i / columns] = matrix[i];
    }
    return turned;
  }

  @Test
  void theBasisChangesWhenItIsDueAndSkippedUpdatesDoNotCount() {
    Random random = new Random(SEED);
    try (MatrixBench bench = new MatrixBench(galore(3, 0, 8), 8, 12)) {
      bench.update(normal(random, 96, 1), 0f, 1, 1.0);
      assertThat(state(bench, "basis")).containsOnly(0);
      assertThat(state(bench, "age")).containsExactly(0);
      double[] before = {};
      for (int update = 1; update <= 2 * INTERVAL + 1; update++) {
        if (update % 4 == 0) {
          bench.update(normal(random, 96, 1), 0f, update, 1.0);
        }
        double[] m = state(bench, "m");
        bench.update(normal(random, 96, 1), update, 1.0);
        double[] after = state(bench, "basis");
        boolean changed = !Arrays.equals(before, after);
        assertThat(changed).as("update %d", update).isEqualTo(update % INTERVAL == 1);
        assertThat(state(bench, "age")).containsExactly((update - 1) % INTERVAL + 1);
        if (update > 1) {
          // The moments go on: nine tenths of what was there.
          assertThat(dot(state(bench, "m"), m)).isPositive();
        }
        before = after;
      }
    }
  }

  @Test
  void aRunThatResumesInsideAWindowHasEqualBits() {
    Random random = new Random(SEED);
    try (MatrixBench whole = new MatrixBench(galore(3, 0.1, 8), 12, 8);
        MatrixBench resumed = new MatrixBench(galore(3, 0.1, 8), 12, 8)) {
      whole.start(normal(random, 96, 1));
      for (int update = 1; update <= INTERVAL / 2; update++) {
        whole.update(normal(random, 96, 1), update, 1.0);
      }
      resumed.resume(whole);
      for (int update = INTERVAL / 2 + 1; update <= 2 * INTERVAL; update++) {
        float[] gradient = normal(random, 96, 1);
        whole.update(gradient, update, 1.0);
        resumed.update(gradient, update, 1.0);
      }
      assertThat(resumed.weights()).isEqualTo(whole.weights());
      assertThat(state(resumed, "basis")).isEqualTo(state(whole, "basis"));
    }
  }

  /** A gradient of one direction, or of none, still yields a whole basis. */
  @Test
  void gradientsOfFewDirectionsYieldAWholeBasis() {
    float[] one = new float[96];
    for (int i = 0; i < one.length; i++) {
      one[i] = (1 + i / 12) * ((i % 12) - 5.5f);
    }
    for (float[] gradient : new float[][] {one, new float[96]}) {
      for (int[] shape : new int[][] {{8, 12}, {12, 8}}) {
        try (MatrixBench bench = new MatrixBench(galore(6, 0, 8), shape[0], shape[1])) {
          bench.update(gradient, 1, 1.0);
          assertOrthonormal(basis(bench, 6));
          for (float weight : bench.weights()) {
            assertThat(weight).isFinite();
          }
        }
      }
    }
  }

  private static Param matrix(boolean hidden, int rows, int columns) {
    return new Param("w", Shape.of(rows, columns), Demand.whole(), Init.zeros(), true, hidden);
  }

  @Test
  void stateIsABasisItsAgeAndTwoMoments() {
    Galore rule = galore(4, 0, 8);
    for (Param p : new Param[] {matrix(true, 16, 48), matrix(true, 48, 16)}) {
      assertThat(rule.stateBytes(p, p.shape())).isEqualTo(4 * (16 * 4 + 1 + 2 * 48 * 4));
    }
    try (MatrixBench bench = new MatrixBench(rule, 16, 48)) {
      // The age takes a cache line of the arena.
      assertThat(bench.stateBytes()).isEqualTo(4 * (16 * 4 + 2 * 48 * 4) + 64);
    }
  }

  @Test
  void whatIsNoHiddenMatrixGetsAdamW() {
    Galore rule = galore(4, 0.25, 8);
    AdamW same = new AdamW(LR, 0.9, 0.999, 1e-8, 0.25, 0);
    assertThat(rule.rules()).containsExactly(rule, same);
    assertThat(rule.ruleOf(matrix(false, 8, 8))).isEqualTo(same);
    assertThat(rule.ruleOf(matrix(true, 8, 8))).isEqualTo(rule);
    AdamW own = new AdamW(1e-3, 0.9, 0.95, 1e-8, 0.1, 0);
    Galore other = new Galore(LR, 0.9, 0.999, 1e-8, 0, 0, 4, 0.25, 200, 8, 5, Optional.of(own));
    assertThat(other.ruleOf(matrix(false, 8, 8))).isEqualTo(own);
  }

  @Test
  void whatDoesNotFitIsRefusedByName() {
    Param narrow = matrix(true, 8, 24);
    assertThatThrownBy(() -> galore(9, 0, 8).state(narrow, narrow.shape()))
        .isInstanceOf(PlanException.class)
        .hasMessage("optimizer.rank: expected at most 8, the shorter side of w [8, 24], found 9");
    assertThat(galore(4, 0, 8).obstacleToPieces()).isPresent();
    AdamW clips = new AdamW(1e-3, 0.9, 0.95, 1e-8, 0.1, 1);
    assertThatThrownBy(() -> new Galore(0, 1, 0.9, 0, -1, 0, 0, -1, 0, 0, 0, Optional.of(clips)))
        .hasMessage(
            "lr: expected a number above 0, found 0.0\n"
                + "beta1: expected a number in [0, 1), found 1.0\n"
                + "eps: expected a number above 0, found 0.0\n"
                + "weight_decay: expected a number of 0 or more, found -1.0\n"
                + "rank: expected 1 or more, found 0\n"
                + "scale: expected a number above 0, found -1.0\n"
                + "update_interval: expected 1 or more, found 0\n"
                + "iterations: expected 1 or more, found 0\n"
                + "rest.clip_norm: expected 0.0 as in this rule (one norm bounds all gradients"
                + " together), found 1.0");
  }
}
