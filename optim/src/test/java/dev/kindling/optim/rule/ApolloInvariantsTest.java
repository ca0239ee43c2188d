package dev.kindling.optim.rule;

import static dev.kindling.optim.rule.ApolloTest.AUTO;
import static dev.kindling.optim.rule.ApolloTest.LR;
import static dev.kindling.optim.rule.ApolloTest.SEED;
import static dev.kindling.optim.rule.ApolloTest.SHAPES;
import static dev.kindling.optim.rule.ApolloTest.apollo;
import static dev.kindling.optim.rule.ApolloTest.assertClose;
import static dev.kindling.optim.rule.ApolloTest.doubles;
import static dev.kindling.optim.rule.ApolloTest.norm;
import static dev.kindling.optim.rule.ApolloTest.normal;
import static dev.kindling.optim.rule.ApolloTest.step;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.kindling.kernels.graph.Channels;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** What holds for updates of APOLLO whatever their numbers are. */
class ApolloInvariantsTest {
  @Test
  void everyChannelMovesAlongItsGradient() {
    for (int[] shape : SHAPES) {
      for (Granularity granularity : Granularity.values()) {
        Random random = new Random(SEED);
        try (MatrixBench bench =
            new MatrixBench(apollo(4, granularity, 1.01, 0), shape[0], shape[1])) {
          for (int update = 1; update <= 3; update++) {
            float[] gradient = normal(random, shape[0] * shape[1], 1);
            double[] moved = step(bench, gradient, update);
            double[] ratios = new double[moved.length];
            Arrays.setAll(ratios, i -> moved[i] / gradient[i]);
            assertThat(Arrays.stream(ratios).max().orElseThrow()).isNegative();
            for (int i = 0; i < ratios.length; i++) {
              boolean rows = shape[0] >= shape[1];
              int alike = rows ? i / shape[1] * shape[1] : i % shape[1];
              int peer = granularity == Granularity.TENSOR ? 0 : alike;
              assertThat(ratios[i]).isCloseTo(ratios[peer], within(1e-5 * -ratios[peer]));
            }
          }
        }
      }
    }
  }

  @Test
  void theSizeOfGradientsDoesNotMatter() {
    for (Granularity granularity : Granularity.values()) {
      Random random = new Random(SEED);
      Apollo rule =
          new Apollo(
              LR,
              0.9,
              0.999,
              1e-20,
              0,
              0,
              4,
              AUTO,
              30,
              false,
              1.01,
              granularity,
              5,
              Optional.empty());
      try (MatrixBench one = new MatrixBench(rule, 12, 20);
          MatrixBench other = new MatrixBench(rule, 12, 20)) {
        for (int update = 1; update <= 40; update++) {
          float[] gradient = normal(random, 240, 1);
          one.update(gradient, 1f, update, 1);
          other.update(gradient, 1024f, update, 1);
        }
        assertClose(other.weights(), doubles(one.weights()), 1e-5, granularity + "");
      }
    }
  }

  @Test
  void aTransposedMatrixTakesTheTransposedWay() {
    for (Granularity granularity : Granularity.values()) {
      Apollo rule = apollo(4, granularity, 1.01, 0.1);
      Random random = new Random(SEED);
      float[] start = normal(random, 240, 1);
      try (MatrixBench wide = new MatrixBench(rule, 12, 20);
          MatrixBench tall = new MatrixBench(rule, 20, 12)) {
        wide.start(start);
        tall.start(transposed(start, 12, 20));
        for (int update = 1; update <= 35; update++) {
          float[] gradient = normal(random, 240, 1);
          wide.update(gradient, update, 1);
          tall.update(transposed(gradient, 12, 20), update, 1);
        }
        float[] back = transposed(tall.weights(), 20, 12);
        assertClose(back, doubles(wide.weights()), 1e-6, granularity + "");
      }
    }
    assertThat(new Channels(16, 16, 1).areRows()).isTrue();
  }

  private static float[] transposed(float[] matrix, int rows, int columns) {
    float[] turned = new float[matrix.length];
    for (int i = 0; i < matrix.length; i++) {
      turned[i % columns * rows + i / columns] = matrix[i];
    }
    return turned;
  }

  @Test
  void theNormOfUpdatesGrowsNoFasterThanAllowed() {
    for (Granularity granularity : Granularity.values()) {
      Random random = new Random(SEED);
      try (MatrixBench limited = new MatrixBench(apollo(4, granularity, 1.01, 0), 12, 20);
          MatrixBench free = new MatrixBench(apollo(4, granularity, 0, 0), 12, 20)) {
        double last = 0;
        for (int update = 1; update <= 40; update++) {
          float[] gradient = normal(random, 240, 1);
          double corrected = Math.sqrt(1 - Math.pow(0.999, update)) / (1 - Math.pow(0.9, update));
          double length = norm(step(limited, gradient, update)) / corrected;
          double unlimited = norm(step(free, gradient, update)) / corrected;
          double bound = update == 1 ? unlimited : Math.min(unlimited, 1.01 * last);
          assertThat(length).as("update %d", update).isCloseTo(bound, within(1e-5 * bound));
          last = length;
        }
      }
    }
  }

  @Test
  void scaleInFrontChangesNothingButTheLimitedNorm() {
    for (double growth : new double[] {0, 1.01}) {
      Random random = new Random(SEED);
      Optional<Double> scale = Optional.of(4.0);
      try (MatrixBench front =
              new MatrixBench(apollo(4, Granularity.CHANNEL, growth, 0, true, scale), 12, 20);
          MatrixBench behind =
              new MatrixBench(apollo(4, Granularity.CHANNEL, growth, 0, false, scale), 12, 20)) {
        for (int update = 1; update <= 35; update++) {
          float[] gradient = normal(random, 240, 1);
          front.update(gradient, update, 1);
          behind.update(gradient, update, 1);
          if (update == 1 || growth == 0) {
            assertThat(front.weights()).isEqualTo(behind.weights());
          }
        }
        StateVariable m = front.variables().get(0);
        assertThat(front.state(m)).isEqualTo(behind.state(m));
        if (growth > 0) {
          StateVariable limited = front.variables().get(2);
          double inFront = front.state(limited)[0];
          double alpha = inFront / behind.state(limited)[0];
          assertThat(alpha).as("seed %d", SEED).isCloseTo(2, within(1e-5));
        }
      }
    }
  }

  @Test
  void withoutGradientOnlyTheDecayIsLeftAndTheNextUpdateIsNotHeldBack() {
    float[] start = normal(new Random(SEED), 240, 1);
    float[] gradient = normal(new Random(SEED + 1), 240, 1);
    try (MatrixBench bench = new MatrixBench(apollo(4, Granularity.CHANNEL, 1.01, 0.5), 12, 20)) {
      bench.start(start);
      bench.update(new float[240], 1, 1);
      float[] found = bench.weights();
      for (int i = 0; i < 240; i++) {
        assertThat(found[i]).isCloseTo((float) (start[i] * (1 - LR * 0.5)), within(1e-6f));
      }
      assertThat(norm(step(bench, gradient, 2))).isGreaterThan(LR * norm(doubles(gradient)) / 10);
    }
  }

  /** Of it |R~| / |R| is huge, and times no gradient nothing: the others move as they would. */
  @Test
  void aChannelWithoutGradientStaysWhereItIsAndTheOthersGoOn() {
    for (int[] shape : SHAPES) {
      for (Granularity granularity : Granularity.values()) {
        Random random = new Random(SEED);
        boolean rows = shape[0] >= shape[1];
        try (MatrixBench bench =
                new MatrixBench(apollo(4, granularity, 1.01, 0), shape[0], shape[1]);
            MatrixBench twin = new MatrixBench(apollo(4, granularity, 0, 0), shape[0], shape[1])) {
          for (int update = 1; update <= 6; update++) {
            float[] gradient = normal(random, shape[0] * shape[1], 1);
            for (int i = 0; i < gradient.length; i++) {
              boolean third = (rows ? i / shape[1] : i % shape[1]) == 3;
              gradient[i] = third && update % 3 == 0 ? 0 : gradient[i];
            }
            double[] moved = step(bench, gradient, update);
            double[] free = step(twin, gradient, update);
            double shrunk = norm(moved) / norm(free);
            assertThat(shrunk).as("update %d, seed %d", update, SEED).isBetween(0.3, 1 + 1e-5);
            for (int i = 0; i < moved.length; i++) {
              // The limiter turns nothing: what it leaves of each channel is the same share.
              assertThat(moved[i])
                  .as("update %d, element %d, seed %d", update, i, SEED)
                  .isCloseTo(shrunk * free[i], within(1e-5 * Math.abs(free[i])));
              assertThat(moved[i] == 0).isEqualTo(gradient[i] == 0);
            }
          }
        }
      }
    }
  }

  @Test
  void aRunThatGoesOnInsideAWindowHasEqualBits() {
    for (Granularity granularity : Granularity.values()) {
      Apollo rule = apollo(4, granularity, 1.01, 0.1);
      Random random = new Random(SEED);
      try (MatrixBench whole = new MatrixBench(rule, 12, 20);
          MatrixBench resumed = new MatrixBench(rule, 12, 20)) {
        whole.start(normal(random, 240, 1));
        for (int update = 1; update <= 70; update++) {
          float[] gradient = normal(random, 240, 1);
          whole.update(gradient, update, 1);
          if (update == 17) {
            resumed.resume(whole);
          } else if (update > 17) {
            resumed.update(gradient, update, 1);
          }
        }
        assertThat(resumed.weights()).isEqualTo(whole.weights());
        for (StateVariable variable : whole.variables()) {
          assertThat(resumed.state(variable)).isEqualTo(whole.state(variable));
        }
      }
    }
  }

  @Test
  void aSkippedStepLeavesEveryBit() {
    try (MatrixBench bench = new MatrixBench(apollo(4, Granularity.CHANNEL, 1.01, 0.1), 12, 20)) {
      Random random = new Random(SEED);
      bench.start(normal(random, 240, 1));
      bench.update(normal(random, 240, 1), 1, 1);
      float[] weights = bench.weights();
      List<float[]> state = bench.variables().stream().map(bench::state).toList();
      bench.update(normal(random, 240, 1), 0f, 2, 1);
      assertThat(bench.weights()).isEqualTo(weights);
      for (int i = 0; i < state.size(); i++) {
        assertThat(bench.state(bench.variables().get(i))).isEqualTo(state.get(i));
      }
    }
  }
}
