package dev.kindling.optim.rule;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.kindling.kernels.graph.Demand;
import dev.kindling.kernels.graph.Init;
import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.graph.Shape;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** AdamW with little state beside AdamW: 100 updates of a matrix of 4,160 elements. */
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
}
