package dev.kindling.optim.rule;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.kindling.kernels.memory.Span;
import dev.kindling.kernels.random.Int8Grid;
import dev.kindling.kernels.random.StochasticRounding;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** Weights in int8, against algorithm and quantiser in fp64. */
class QuantizedApolloTest {
  private static final long SEED = ApolloTest.SEED;
  private static final int GROUP = 128;
  private static final long RULE_SEED = 5;
  private static final int[][] SHAPES = {{12, 20}, {20, 12}, {33, 40}, {7, 33}};

  private static Apollo apollo(WeightStorage weights, Granularity granularity, int rank) {
    return new Apollo(
        0.01,
        0.9,
        0.999,
        1e-8,
        0.1,
        0,
        rank,
        Optional.empty(),
        30,
        false,
        1.01,
        granularity,
        RULE_SEED,
        weights,
        Optional.empty());
  }

  private static ApolloMini mini() {
    return new ApolloMini(
        0.01,
        0.9,
        0.999,
        1e-8,
        0.1,
        0,
        Optional.empty(),
        30,
        false,
        1.01,
        RULE_SEED,
        WeightStorage.INT8,
        Optional.empty());
  }

  private static float[] onGrid(float[] values) {
    try (Span span = Span.allocate((long) values.length * Float.BYTES)) {
      span.put(values);
      Int8Grid.nearest(span);
      return span.toFloats();
    }
  }

  /** Scale of a group as the docstring of Int8Grid says it, in fp64. */
  private static double scale(double[] theta, int first, int end) {
    double low = 0;
    double high = 0;
    for (int i = first; i < end; i++) {
      low = Math.min(low, theta[i]);
      high = Math.max(high, theta[i]);
    }
    double exact = (high - low) / 253;
    double unit = Math.scalb(1.0, Math.getExponent(exact) - 15);
    return Math.ceil(exact / unit) * unit;
  }

  private static double rounded(double theta, double scale, long update, int i) {
    int[] words = new int[4];
    StochasticRounding.block(words, StochasticRounding.key(RULE_SEED, MatrixBench.NAME), update, i);
    double below = Math.floor(theta / scale);
    boolean up = (theta / scale - below) * 65536 >= StochasticRounding.random(words, i) + 1;
    return (below + (up ? 1 : 0)) * scale;
  }

  /** Each update begins at the weights that the one before it left, moments at none of them. */
  @Test
  void hundredUpdatesAcrossRefreshesRoundWhatThePaperComputesInDoublePrecision() {
    List<Apollo> rules =
        List.of(
            apollo(WeightStorage.INT8, Granularity.CHANNEL, 4),
            apollo(WeightStorage.INT8, Granularity.TENSOR, 1));
    for (Apollo rule : rules) {
      for (int[] shape : SHAPES) {
        Random random = new Random(SEED);
        int count = shape[0] * shape[1];
        ApolloReference reference = new ApolloReference(rule, MatrixBench.NAME, shape[0], shape[1]);
        long others = 0;
        try (MatrixBench bench = new MatrixBench(rule, shape[0], shape[1])) {
          bench.start(onGrid(ApolloTest.normal(random, count, 1)));
          for (int update = 1; update <= 100; update++) {
            float[] gradient = ApolloTest.normal(random, count, 0.1 * (1 + update % 5));
            double[] theta = ApolloTest.doubles(bench.weights());
            bench.update(gradient, 0.5f, update, 1);
            double[] mean = Arrays.stream(ApolloTest.doubles(gradient)).map(x -> 0.5 * x).toArray();
            reference.update(theta, mean, 1, true);
            others += others(bench.weights(), theta, update);
          }
        }
        // What fp32 moves across a random number: one of some thousands.
        assertThat(others)
            .as("%s %s, seed %d", rule, Arrays.toString(shape), SEED)
            .isLessThanOrEqualTo(100L * count / 500);
      }
    }
  }

  /** How many elements went to the other of the two numbers beside theta; none goes further. */
  private static long others(float[] found, double[] theta, long update) {
    long others = 0;
    for (int first = 0; first < theta.length; first += GROUP) {
      int end = Math.min(theta.length, first + GROUP);
      double scale = scale(theta, first, end);
      for (int i = first; i < end; i++) {
        double expected = rounded(theta[i], scale, update, i);
        assertThat((double) found[i]).isCloseTo(expected, within(scale * 1.02));
        others += Math.abs(found[i] - expected) > scale / 2 ? 1 : 0;
      }
    }
    return others;
  }

  /** Rounding at random is right in the mean: steps below half a scale are not lost. */
  @Test
  void smallUpdatesCount() {
    int count = 16 * 128;
    float[] start = onGrid(ApolloTest.normal(new Random(SEED), count, 1));
    float[] gradient = new float[count];
    Arrays.fill(gradient, 1f);
    double[] moved = new double[2];
    for (WeightStorage weights : WeightStorage.values()) {
      Apollo rule = apollo(weights, Granularity.TENSOR, 1);
      try (MatrixBench bench = new MatrixBench(rule, 16, 128)) {
        bench.start(start);
        for (int update = 1; update <= 40; update++) {
          bench.update(gradient, update, 0.01);
        }
        float[] end = bench.weights();
        for (int i = 0; i < count; i++) {
          moved[weights.ordinal()] += (end[i] - start[i]) / (double) count;
        }
      }
    }
    assertThat(Math.abs(moved[0])).isLessThan(Int8Grid.scale(-3, 3) / 2).isPositive();
    assertThat(moved[1] / moved[0]).as("seed %d", SEED).isCloseTo(1, within(0.25));
  }

  @Test
  void resumedInTheMiddleOfAWindowItHasTheSameBits() {
    List<UpdateRule> rules = List.of(apollo(WeightStorage.INT8, Granularity.CHANNEL, 4), mini());
    for (UpdateRule rule : rules) {
      Random random = new Random(SEED);
      List<float[]> gradients = new ArrayList<>();
      for (int update = 0; update < 50; update++) {
        gradients.add(ApolloTest.normal(random, 24 * 40, 0.1));
      }
      try (MatrixBench whole = new MatrixBench(rule, 24, 40);
          MatrixBench resumed = new MatrixBench(rule, 24, 40)) {
        whole.start(onGrid(ApolloTest.normal(random, 24 * 40, 1)));
        for (int update = 1; update <= 50; update++) {
          if (update == 38) {
            resumed.resume(whole);
          }
          whole.update(gradients.get(update - 1), update, 1);
          if (update >= 38) {
            resumed.update(gradients.get(update - 1), update, 1);
          }
        }
        assertThat(resumed.weights()).isEqualTo(whole.weights());
        whole.variables().forEach(v -> assertThat(resumed.state(v)).isEqualTo(whole.state(v)));
      }
    }
  }

  @Test
  void miniIsRankOneWithOneFactorForTheMatrix() {
    Random random = new Random(SEED);
    float[] start = onGrid(ApolloTest.normal(random, 54, 1));
    try (MatrixBench one = new MatrixBench(mini(), 6, 9);
        MatrixBench other =
            new MatrixBench(apollo(WeightStorage.INT8, Granularity.TENSOR, 1), 6, 9)) {
      one.start(start);
      other.start(start);
      for (int update = 1; update <= 5; update++) {
        float[] gradient = ApolloTest.normal(random, 54, 1);
        one.update(gradient, update, 1);
        other.update(gradient, update, 1);
      }
      assertThat(one.weights()).isEqualTo(other.weights()).isNotEqualTo(start);
    }
  }

  @Test
  void stateIsThatOfWeightsInFp32AndPiecesAreRefused() {
    Apollo wide = apollo(WeightStorage.FP32, Granularity.CHANNEL, 4);
    Apollo narrow = apollo(WeightStorage.INT8, Granularity.CHANNEL, 4);
    try (MatrixBench one = new MatrixBench(wide, 16, 48);
        MatrixBench other = new MatrixBench(narrow, 16, 48)) {
      assertThat(other.stateBytes()).isEqualTo(one.stateBytes()).isEqualTo(8 * 4 * 48 + 64);
    }
    assertThat(wide.obstacleToPieces()).isEmpty();
    assertThat(narrow.obstacleToPieces()).hasValueSatisfying(w -> assertThat(w).contains("int8"));
    assertThat(mini().obstacleToPieces()).isEqualTo(narrow.obstacleToPieces());
    assertThat(Apollo.defaults()).containsEntry("weights", WeightStorage.FP32);
    assertThat(ApolloMini.defaults()).containsEntry("weights", WeightStorage.FP32);
  }
}
