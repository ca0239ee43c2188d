package dev.kindling.optim.rule;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.kindling.kernels.graph.Demand;
import dev.kindling.kernels.graph.Init;
import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.graph.PlanException;
import dev.kindling.kernels.graph.Shape;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/** What the paper and its formulas say of every trajectory, and 100 updates against fp64. */
class ApolloTest {
  static final long SEED = Long.getLong("seed", 20261128L);
  static final double LR = 0.01;
  static final Optional<Double> AUTO = Optional.empty();
  static final int[][] SHAPES = {{12, 20}, {20, 12}, {16, 16}, {7, 33}, {33, 7}};

  static Apollo apollo(int rank, Granularity granularity, double growth, double decay) {
    return apollo(rank, granularity, growth, decay, false, AUTO);
  }

  static Apollo apollo(
      int rank,
      Granularity granularity,
      double growth,
      double decay,
      boolean front,
      Optional<Double> scale) {
    return new Apollo(
        LR,
        0.9,
        0.999,
        1e-8,
        decay,
        0,
        rank,
        scale,
        30,
        front,
        growth,
        granularity,
        5,
        Optional.empty());
  }

  static ApolloMini mini(double growth) {
    return new ApolloMini(LR, 0.9, 0.999, 1e-8, 0, 0, AUTO, 30, false, growth, 5, Optional.empty());
  }

  private static List<Apollo> variants() {
    List<Apollo> variants = new ArrayList<>();
    for (Granularity granularity : Granularity.values()) {
      for (double growth : new double[] {0, 1.01}) {
        variants.add(apollo(4, granularity, growth, 0.1));
        // A channel of rank 1 divides by a single number, which may be all rounding error.
        int least = granularity == Granularity.TENSOR ? 1 : 3;
        variants.add(apollo(least, granularity, growth, 0, true, Optional.of(3.0)));
        variants.add(apollo(7, granularity, growth, 0.01, false, Optional.of(0.5)));
      }
    }
    return variants;
  }

  static float[] normal(Random random, int count, double size) {
    float[] values = new float[count];
    for (int i = 0; i < count; i++) {
      values[i] = (float) (size * random.nextGaussian());
    }
    return values;
  }

  static double[] doubles(float[] values) {
    return IntStream.range(0, values.length).mapToDouble(i -> values[i]).toArray();
  }

  static double norm(double[] values) {
    return Math.sqrt(Arrays.stream(values).map(x -> x * x).sum());
  }

  /** Of updates from weights of zero, so that no bit of the difference is lost. */
  static double[] step(MatrixBench bench, float[] gradient, int update) {
    bench.start(new float[gradient.length]);
    bench.update(gradient, update, 1.0);
    return doubles(bench.weights());
  }

  @Test
  void hundredUpdatesAcrossRefreshesFollowThePaperInDoublePrecision() {
    for (int[] shape : SHAPES) {
      for (Apollo rule : variants()) {
        Random random = new Random(SEED);
        int count = shape[0] * shape[1];
        float[] start = normal(random, count, 1);
        double[] expected = doubles(start);
        ApolloReference reference = new ApolloReference(rule, MatrixBench.NAME, shape[0], shape[1]);
        try (MatrixBench bench = new MatrixBench(rule, shape[0], shape[1])) {
          bench.start(start);
          for (int update = 1; update <= 100; update++) {
            float[] gradient = normal(random, count, 0.1 * (1 + update % 5));
            double factor = 0.5 + 0.5 * (update % 7) / 7;
            bench.update(gradient, 0.5f, update, factor);
            double[] mean = Arrays.stream(doubles(gradient)).map(x -> 0.5 * x).toArray();
            reference.update(expected, mean, factor, true);
          }
          assertClose(bench.weights(), expected, 5e-5, rule + " " + Arrays.toString(shape));
        }
      }
    }
  }

  static void assertClose(float[] found, double[] expected, double error, String what) {
    double[] difference = new double[expected.length];
    for (int i = 0; i < expected.length; i++) {
      difference[i] = found[i] - expected[i];
    }
    assertThat(norm(difference))
        .as("%s, seed %d", what, SEED)
        .isLessThanOrEqualTo(error * norm(expected));
  }

  @Test
  void miniIsRankOneWithOneFactorForTheMatrix() {
    Apollo general = apollo(1, Granularity.TENSOR, 1.01, 0);
    Random random = new Random(SEED);
    try (MatrixBench one = new MatrixBench(mini(1.01), 6, 9);
        MatrixBench other = new MatrixBench(general, 6, 9)) {
      for (int update = 1; update <= 5; update++) {
        float[] gradient = normal(random, 54, 1);
        one.update(gradient, update, 1);
        other.update(gradient, update, 1);
      }
      assertThat(one.weights()).isEqualTo(other.weights());
    }
  }

  /** R~ is a matrix of signs after bias correction, so factor * |R| = sqrt(rank * n). */
  @Test
  void theFirstUpdateIsAsLongAsASketchOfSigns() {
    for (int[] shape : SHAPES) {
      Apollo rule = apollo(4, Granularity.TENSOR, 1.01, 0);
      float[] gradient = normal(new Random(SEED), shape[0] * shape[1], 1);
      try (MatrixBench bench = new MatrixBench(rule, shape[0], shape[1])) {
        double moved = norm(step(bench, gradient, 1));
        double[][] r =
            new ApolloReference(rule, MatrixBench.NAME, shape[0], shape[1])
                .sketch(doubles(gradient), 1);
        double alpha = Math.sqrt(Math.min(shape[0], shape[1]) / 4.0);
        double expected = Math.sqrt(4.0 * Math.max(shape[0], shape[1]));
        double factor = moved / (LR * alpha * norm(doubles(gradient)));
        assertThat(factor * ApolloReference.norm(r, -1))
            .isCloseTo(expected, within(1e-4 * expected));
      }
    }
  }

  /** Theorem A.4: the factor is sqrt(rank / m) times the full one, which scale m / rank undoes. */
  @Test
  void automaticScaleMakesStepsAsLongAsThoseOfStructuredAdam() {
    int m = 256;
    int n = 512;
    for (int rank : new int[] {32, 64, 128}) {
      Apollo rule = apollo(rank, Granularity.CHANNEL, 0, 0);
      Random random = new Random(SEED);
      double[] first = new double[m * n];
      double[] second = new double[m * n];
      double full = 0;
      double found = 0;
      try (MatrixBench bench = new MatrixBench(rule, m, n)) {
        for (int update = 1; update <= 12; update++) {
          float[] gradient = normal(random, m * n, 1);
          found = norm(step(bench, gradient, update));
          full = structuredAdam(gradient, first, second, update, n);
        }
      }
      assertThat(found / full).as("rank %d, seed %d", rank, SEED).isCloseTo(1, within(0.05));
    }
  }

  /** One factor from one number a column: sqrt(m) makes up for it, not a constant of any m. */
  @Test
  void automaticScaleOfMiniDoesSoForAnyWidth() {
    int n = 2048;
    for (int m : new int[] {16, 64, 256}) {
      Random random = new Random(SEED);
      double[] first = new double[m * n];
      double[] second = new double[m * n];
      double full = 0;
      double found = 0;
      try (MatrixBench bench = new MatrixBench(mini(0), m, n)) {
        for (int update = 1; update <= 8; update++) {
          float[] gradient = normal(random, m * n, 1);
          found = norm(step(bench, gradient, update));
          full = structuredAdam(gradient, first, second, update, n);
        }
      }
      assertThat(found / full).as("%d rows, seed %d", m, SEED).isCloseTo(1, within(0.1));
    }
  }

  /** Length of an update whose columns are stretched as Adam stretches them. */
  private static double structuredAdam(
      float[] gradient, double[] first, double[] second, int update, int n) {
    double[] after = new double[n];
    double[] before = new double[n];
    for (int i = 0; i < gradient.length; i++) {
      first[i] = 0.9 * first[i] + 0.1 * gradient[i];
      second[i] = 0.999 * second[i] + 0.001 * gradient[i] * gradient[i];
      after[i % n] += first[i] * first[i] / second[i];
      before[i % n] += (double) gradient[i] * gradient[i];
    }
    double squares = 0;
    for (int j = 0; j < n; j++) {
      squares += after[j] / before[j] * before[j];
    }
    double corrected = Math.sqrt(1 - Math.pow(0.999, update)) / (1 - Math.pow(0.9, update));
    return LR * corrected * Math.sqrt(squares);
  }

  @Test
  void stateIsTwoSketchesAndANorm() {
    Param wide = hidden(true, 16, 48);
    Apollo rule = apollo(8, Granularity.CHANNEL, 1.01, 0);
    assertThat(rule.stateBytes(wide, wide.shape())).isEqualTo(8 * 8 * 48 + 4);
    assertThat(mini(1.01).stateBytes(wide, wide.shape())).isEqualTo(8 * 48 + 4);
    assertThat(mini(0).stateBytes(wide, wide.shape())).isEqualTo(8 * 48);
    try (MatrixBench bench = new MatrixBench(rule, 16, 48)) {
      // The norm takes a cache line of the arena.
      assertThat(bench.stateBytes()).isEqualTo(8 * 8 * 48 + 64);
    }
    // Rows of a wide matrix in four pieces: every rank keeps the moments of all columns.
    assertThat(rule.stateBytes(wide, Shape.of(16 * 48 / 4))).isEqualTo(8 * 8 * 48 + 4);
    Param tall = hidden(true, 48, 16);
    assertThat(rule.stateBytes(tall, Shape.of(16 * 48 / 4))).isEqualTo(8 * 8 * 12 + 4);
  }

  private static Param hidden(boolean hidden, int rows, int columns) {
    return new Param("w", Shape.of(rows, columns), Demand.whole(), Init.zeros(), true, hidden);
  }

  @Test
  void whatIsNoHiddenMatrixGetsAdamW() {
    Apollo plain = apollo(4, Granularity.CHANNEL, 1.01, 0.25);
    AdamW same = new AdamW(LR, 0.9, 0.999, 1e-8, 0.25, 0);
    assertThat(plain.ruleOf(hidden(false, 8, 8))).isEqualTo(same);
    assertThat(plain.ruleOf(hidden(true, 8, 8))).isEqualTo(plain);
    assertThat(plain.rules()).containsExactly(plain, same);
    AdamW own = new AdamW(1e-3, 0.9, 0.95, 1e-8, 0.1, 0);
    ApolloMini mini =
        new ApolloMini(LR, 0.9, 0.999, 1e-8, 0, 0, AUTO, 30, false, 0, 5, Optional.of(own));
    assertThat(mini.rules()).containsExactly(mini, own);
    assertThat(mini.ruleOf(hidden(false, 8, 8))).isEqualTo(own);
    assertThat(mini.ruleOf(hidden(true, 8, 8))).isEqualTo(mini);
  }

  @Test
  void whatDoesNotFitIsRefusedByName() {
    Apollo rule = apollo(9, Granularity.CHANNEL, 1.01, 0);
    Param matrix = hidden(true, 8, 24);
    assertThatThrownBy(() -> rule.state(matrix, matrix.shape()))
        .isInstanceOf(PlanException.class)
        .hasMessage("optimizer.rank: expected at most 8, the shorter side of w [8, 24], found 9");
    assertThatThrownBy(() -> apollo(4, Granularity.CHANNEL, 0, 0).state(matrix, Shape.of(12)))
        .isInstanceOf(PlanException.class)
        .hasMessageContaining("found 16 and w [8, 24]");
    AdamW clips = new AdamW(1e-3, 0.9, 0.95, 1e-8, 0.1, 1);
    assertThatThrownBy(
            () ->
                new Apollo(
                    0,
                    1,
                    0.9,
                    0,
                    -1,
                    0,
                    0,
                    Optional.of(-1.0),
                    0,
                    false,
                    1,
                    Granularity.TENSOR,
                    0,
                    Optional.of(clips)))
        .hasMessage(
            "lr: expected a number above 0, found 0.0\n"
                + "beta1: expected a number in [0, 1), found 1.0\n"
                + "eps: expected a number above 0, found 0.0\n"
                + "weight_decay: expected a number of 0 or more, found -1.0\n"
                + "rank: expected 1 or more, found 0\n"
                + "scale: expected a number above 0, found -1.0\n"
                + "update_interval: expected 1 or more, found 0\n"
                + "norm_growth: expected a number above 1, or 0 for no limit, found 1.0\n"
                + "rest.clip_norm: expected 0.0 as in this rule (one norm bounds all gradients"
                + " together), found 1.0");
  }
}
