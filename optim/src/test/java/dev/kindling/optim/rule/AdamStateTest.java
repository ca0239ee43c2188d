package dev.kindling.optim.rule;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.kindling.kernels.graph.Demand;
import dev.kindling.kernels.graph.Init;
import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.graph.Shape;
import dev.kindling.kernels.random.StochasticRounding;
import dev.kindling.optim.rule.RoundingErrors.Sum;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * AdamW with little state beside AdamW, and each update beside fp64: 100 updates of a matrix that
 * is large enough for codes of 8 bits.
 */
class AdamStateTest {
  private static final long SEED = Long.getLong("seed", 20260103L);
  private static final int ELEMENTS = 65 * 64;
  private static final double RATE = 1e-2;
  private static final List<Param> PARAMS =
      List.of(new Param("w", Shape.of(65, 64), Demand.whole(), Init.normal(1), true));

  private static UpdateBench after(AdamState state, int updates) {
    AdamW rule = new AdamW(RATE, 0.9, 0.999, 1e-8, 0.0, 0.0, true, state);
    Random random = new Random(SEED);
    UpdateBench bench = new UpdateBench(rule, PARAMS);
    bench.start(new float[ELEMENTS]);
    for (int update = 1; update <= updates; update++) {
      float[] gradient = new float[ELEMENTS];
      for (int i = 0; i < ELEMENTS; i++) {
        // Blocks of gradients of many sizes, with a direction that stays.
        gradient[i] = (float) ((0.3 + random.nextGaussian()) * Math.pow(10, -(i / 256) % 4));
      }
      bench.update(gradient, 1, update, 1.0);
    }
    return bench;
  }

  private static double norm(float[] a, float[] b) {
    double squares = 0;
    for (int i = 0; i < a.length; i++) {
      squares += Math.pow((double) a[i] - b[i], 2);
    }
    return Math.sqrt(squares);
  }

  private static double mean(float[] a, float[] b) {
    double sum = 0;
    for (int i = 0; i < a.length; i++) {
      sum += (double) a[i] - b[i];
    }
    return sum / a.length;
  }

  /**
   * Without rounding at random v would stay below what bf16 can add to it (a thousandth of g^2 is
   * less than half a unit once v has 8 of them), and steps would grow: the mean tells.
   */
  @Test
  void momentsInBf16AreRightInTheMean() {
    try (UpdateBench exact = after(AdamState.FP32, 100);
        UpdateBench narrow = after(AdamState.BF16, 100)) {
      float[] moved = exact.parameters();
      float[] found = narrow.parameters();
      for (float number : narrow.state()) {
        assertThat(Float.floatToRawIntBits(number) & 0xFFFF).isZero();
      }
      float[] zero = new float[ELEMENTS];
      // bf16 has 2^-9 per rounding; a hundred of them at random, weighted by the moments' decay.
      assertThat(norm(found, moved)).isLessThan(0.02 * norm(moved, zero)).isPositive();
      double whole = mean(moved, zero);
      assertThat(mean(found, moved)).as("seed %d", SEED).isCloseTo(0, within(1e-3 * -whole));
    }
  }

  /** The paper's claim: the trajectory of 32-bit Adam but for noise of the codes. */
  @Test
  void momentsInEightBitsFollowThoseInFp32() {
    try (UpdateBench exact = after(AdamState.FP32, 100);
        UpdateBench quantized = after(AdamState.INT8, 100)) {
      float[] moved = exact.parameters();
      float[] found = quantized.parameters();
      float[] zero = new float[ELEMENTS];
      assertThat(norm(found, moved)).isLessThan(0.1 * norm(moved, zero)).isPositive();
    }
  }

  @Test
  void theFirstUpdateIsThatOfFp32BecauseMomentsAreStoredAfterTheirUse() {
    try (UpdateBench exact = after(AdamState.FP32, 1);
        UpdateBench narrow = after(AdamState.BF16, 1);
        UpdateBench quantized = after(AdamState.INT8, 1)) {
      assertThat(narrow.parameters()).isEqualTo(exact.parameters());
      assertThat(quantized.parameters()).isEqualTo(exact.parameters());
    }
  }

  /** Betas that fp32 holds, so that both sides have the same. */
  private static AdamW rule(AdamState state, boolean master) {
    return new AdamW(RATE, 1 - 0x1p-3, 1 - 0x1p-10, 1e-8, 0.1, 0, master, state);
  }

  private static double lrFactor(int update) {
    return 1 - 0.005 * update;
  }

  /** A matrix of 4,221 elements: the last Philox block, word and block of codes are cut short. */
  private static MatrixBench bench(AdamW rule, Random random) {
    MatrixBench bench = new MatrixBench(rule, 67, 63);
    float[] start = ApolloTest.normal(random, 67 * 63, 1);
    for (int i = 0; i < start.length; i++) {
      start[i] = StochasticRounding.nearest(start[i]);
    }
    bench.start(start);
    return bench;
  }

  private static float[] gradient(Random random, int update) {
    float[] gradient = ApolloTest.normal(random, 67 * 63, 0.1 * (1 + update % 5));
    for (int i = 0; i < gradient.length; i++) {
      gradient[i] = (float) ((0.03 + gradient[i]) * Math.pow(10, -(i / 256) % 4));
    }
    return gradient;
  }

  private static double[] half(float[] gradient) {
    return Arrays.stream(ApolloTest.doubles(gradient)).map(g -> g / 2).toArray();
  }

  /** Of the weights fp32 leaves its own error where they have a master, else they are rounded. */
  private static void weights(AdamW rule, AdamStateReference exact, float[] found, Sum bias) {
    if (!rule.master()) {
      bias.add(RoundingErrors.of(exact.theta(), exact.slack().theta(), found));
      return;
    }
    for (int i = 0; i < found.length; i++) {
      assertThat((double) found[i])
          .as("weight %d", i)
          .isCloseTo(exact.theta()[i], within(exact.slack().theta()[i]));
    }
  }

  /** Each update begins at what the one before it stored. */
  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void hundredUpdatesRoundTheMomentsOfDoublePrecisionFairlyToANeighbourInBf16(boolean master) {
    AdamW rule = rule(AdamState.BF16, master);
    Random random = new Random(SEED);
    Sum ofWeights = new Sum();
    Sum ofM = new Sum();
    Sum ofV = new Sum();
    Sum together = new Sum();
    Sum inTurn = new Sum();
    try (MatrixBench bench = bench(rule, random)) {
      StateVariable m = bench.variables().get(0);
      StateVariable v = bench.variables().get(1);
      RoundingErrors last = null;
      for (int update = 1; update <= 100; update++) {
        float[] gradient = gradient(random, update);
        AdamStateReference stored =
            AdamStateReference.started(
                ApolloTest.doubles(bench.weights()),
                ApolloTest.doubles(bench.state(m)),
                ApolloTest.doubles(bench.state(v)));
        AdamStateReference exact =
            AdamStateReference.after(rule, stored, half(gradient), update, lrFactor(update));
        bench.update(gradient, 0.5f, update, lrFactor(update));
        RoundingErrors now = RoundingErrors.of(exact.m(), exact.slack().m(), bench.state(m));
        RoundingErrors ofBoth = RoundingErrors.of(exact.v(), exact.slack().v(), bench.state(v));
        weights(rule, exact, bench.weights(), ofWeights);
        ofM.add(now);
        ofV.add(ofBoth);
        together.add(now, ofBoth);
        if (last != null) {
          inTurn.add(now, last);
        }
        last = now;
      }
    }
    ofM.assertNothing("bias of m");
    ofV.assertNothing("bias of v");
    together.assertNothing("m and v rounded by the same random numbers");
    inTurn.assertNothing("two updates rounded by the same random numbers");
    if (!master) {
      ofWeights.assertNothing("bias of weights");
    }
  }

  /** Each update begins at what the codes of the one before it stand for. */
  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void hundredUpdatesStoreTheNearestCodesOfTheMomentsOfDoublePrecision(boolean master) {
    AdamW rule = rule(AdamState.INT8, master);
    Random random = new Random(SEED);
    Sum ofWeights = new Sum();
    try (MatrixBench bench = bench(rule, random)) {
      CodedMoment m = new CodedMoment(bench, 0);
      CodedMoment v = new CodedMoment(bench, 1);
      for (int update = 1; update <= 100; update++) {
        float[] gradient = gradient(random, update);
        AdamStateReference stored =
            AdamStateReference.started(ApolloTest.doubles(bench.weights()), m.values(), v.values());
        AdamStateReference exact =
            AdamStateReference.after(rule, stored, half(gradient), update, lrFactor(update));
        bench.update(gradient, 0.5f, update, lrFactor(update));
        weights(rule, exact, bench.weights(), ofWeights);
        m.assertNearest(exact.m(), exact.slack().m());
        v.assertNearest(exact.v(), exact.slack().v());
      }
    }
    if (!master) {
      ofWeights.assertNothing("bias of weights");
    }
  }
}
