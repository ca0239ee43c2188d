package dev.kindling.kernels.backend.cpu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kindling.kernels.backend.MatmulKind;
import dev.kindling.kernels.graph.Channels;
import dev.kindling.kernels.graph.GraphBuilder;
import dev.kindling.kernels.graph.PlanException;
import dev.kindling.kernels.graph.Role;
import dev.kindling.kernels.graph.StepScalar;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.ValueType;
import dev.kindling.kernels.graph.Variable;
import dev.kindling.kernels.graph.op.ScaledUpdate;
import dev.kindling.kernels.random.Int8Grid;
import dev.kindling.kernels.random.Philox;
import dev.kindling.kernels.random.StochasticRounding;
import dev.kindling.kernels.testing.CpuRun;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class RoundedScaledUpdateTest {
  private static final int ROWS = 100;
  private static final int COLUMNS = 13;
  private static final int ELEMENTS = ROWS * COLUMNS;
  private static final long KEY = 77;

  private static double[] update(Optional<Long> key, double scale, int step, int threads) {
    GraphBuilder b = new GraphBuilder();
    ValueType matrix = ValueType.f32(ROWS, COLUMNS);
    Map<String, double[]> given = new HashMap<>();
    Value p = b.variable(new Variable("p", matrix, Role.PARAMETER));
    Value g = b.variable(new Variable("g", matrix, Role.GRADIENT));
    Value factors = b.variable(new Variable("f", ValueType.f32(ROWS), Role.STATE));
    Value sums = b.variable(new Variable("sums", ValueType.f32(3), Role.STATE));
    Value scaled = b.variable(new Variable("scale", ValueType.f32(1), Role.INPUT));
    given.put("p", normal(1));
    given.put("g", normal(2));
    double[] ones = new double[ROWS];
    java.util.Arrays.fill(ones, 1);
    given.put("f", ones);
    given.put("sums", new double[] {1, 1, 1});
    given.put("scale", new double[] {scale});
    double[] scalars = new double[StepScalar.values().length];
    scalars[StepScalar.LEARNING_RATE.ordinal()] = 1e-3;
    scalars[StepScalar.BIAS_CORRECTION1.ordinal()] = 0.5;
    scalars[StepScalar.BIAS_CORRECTION2.ordinal()] = 0.25;
    scalars[StepScalar.STEP.ordinal()] = step;
    given.put("step", scalars);
    Channels channels = new Channels(ROWS, COLUMNS, 1);
    b.add(
        new ScaledUpdate(channels, true, 1, false, 0, 0.1f, key),
        p,
        g,
        factors,
        sums,
        scaled,
        b.step());
    return CpuRun.run(b.build(), given, threads, MatmulKind.JAVA).get("p");
  }

  private static double[] normal(long key) {
    double[] values = new double[ELEMENTS];
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) Philox.normal(key, i);
    }
    return values;
  }

  @Test
  void isTheUpdateOnNewGridsGroupByGroup() {
    double[] plain = update(Optional.empty(), 0.5, 9, 1);
    double[] rounded = update(Optional.of(KEY), 0.5, 9, 1);
    int[] words = new int[4];
    for (int first = 0; first < ELEMENTS; first += 128) {
      int end = Math.min(ELEMENTS, first + 128);
      float low = 0;
      float high = 0;
      for (int i = first; i < end; i++) {
        low = Math.min(low, (float) plain[i]);
        high = Math.max(high, (float) plain[i]);
      }
      float scale = Int8Grid.scale(low, high);
      for (int i = first; i < end; i++) {
        StochasticRounding.block(words, KEY, 9, i);
        int random = StochasticRounding.random(words, i);
        assertThat((float) rounded[i])
            .as("element %d", i)
            .isEqualTo(Int8Grid.round((float) plain[i], scale, random));
      }
    }
  }

  @Test
  void threadsChangeNoBitAndStepsDrawAnew() {
    double[] one = update(Optional.of(KEY), 0.5, 9, 1);
    assertThat(update(Optional.of(KEY), 0.5, 9, 3)).isEqualTo(one);
    assertThat(update(Optional.of(KEY), 0.5, 10, 1)).isNotEqualTo(one);
  }

  @Test
  void aSkippedStepLeavesEveryBit() {
    assertThat(update(Optional.of(KEY), 0, 9, 1)).isEqualTo(normal(1));
  }

  @Test
  void piecesAreRefused() {
    Channels pieces = new Channels(8, 8, 2);
    GraphBuilder b = new GraphBuilder();
    Value piece = b.variable(new Variable("p", ValueType.f32(32), Role.SHARD));
    Value[] inputs = {piece, piece, piece, piece, piece, b.step()};
    ScaledUpdate op = new ScaledUpdate(pieces, true, 1, false, 0, 0, Optional.of(KEY));
    assertThatThrownBy(() -> b.add(op, inputs))
        .isInstanceOf(PlanException.class)
        .hasMessageContaining("expected a whole matrix where it is rounded, found 2 pieces");
  }
}
