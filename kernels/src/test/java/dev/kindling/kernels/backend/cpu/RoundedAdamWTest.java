package dev.kindling.kernels.backend.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kindling.kernels.backend.MatmulKind;
import dev.kindling.kernels.graph.GraphBuilder;
import dev.kindling.kernels.graph.Role;
import dev.kindling.kernels.graph.StepScalar;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.ValueType;
import dev.kindling.kernels.graph.Variable;
import dev.kindling.kernels.graph.op.AdamW;
import dev.kindling.kernels.random.Philox;
import dev.kindling.kernels.random.StochasticRounding;
import dev.kindling.kernels.testing.CpuRun;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class RoundedAdamWTest {
  private static final int ROWS = 1000;
  private static final int COLUMNS = 13;
  private static final long KEY = 77;

  private static Map<String, double[]> update(
      Optional<Long> key, double scale, int step, int threads) {
    GraphBuilder b = new GraphBuilder();
    Value[] inputs = new Value[6];
    String[] names = {"p", "g", "m", "v"};
    Map<String, double[]> given = new HashMap<>();
    for (int i = 0; i < 4; i++) {
      Role role = i == 0 ? Role.PARAMETER : i == 1 ? Role.GRADIENT : Role.STATE;
      inputs[i] = b.variable(new Variable(names[i], ValueType.f32(ROWS, COLUMNS), role));
      double[] values = new double[ROWS * COLUMNS];
      for (int j = 0; j < values.length; j++) {
        float normal = (float) Philox.normal(i, j);
        values[j] = i == 0 ? StochasticRounding.round(normal, 0) : Math.abs(normal);
      }
      given.put(names[i], values);
    }
    inputs[4] = b.variable(new Variable("scale", ValueType.f32(1), Role.INPUT));
    inputs[5] = b.step();
    given.put("scale", new double[] {scale});
    double[] scalars = new double[StepScalar.values().length];
    scalars[StepScalar.LEARNING_RATE.ordinal()] = 1e-3;
    scalars[StepScalar.BIAS_CORRECTION1.ordinal()] = 0.5;
    scalars[StepScalar.BIAS_CORRECTION2.ordinal()] = 0.25;
    scalars[StepScalar.STEP.ordinal()] = step;
    given.put("step", scalars);
    b.add(new AdamW(0.9f, 0.95f, 1e-8f, 0.1f, key), inputs);
    return CpuRun.run(b.build(), given, threads, MatmulKind.JAVA);
  }

  @Test
  void isTheUpdateRoundedElementByElement() {
    Map<String, double[]> plain = update(Optional.empty(), 0.5, 9, 1);
    Map<String, double[]> rounded = update(Optional.of(KEY), 0.5, 9, 1);
    int[] words = new int[4];
    for (int i = 0; i < ROWS * COLUMNS; i++) {
      StochasticRounding.block(words, KEY, 9, i);
      float expected =
          StochasticRounding.round((float) plain.get("p")[i], StochasticRounding.random(words, i));
      assertThat((float) rounded.get("p")[i]).as("element %d", i).isEqualTo(expected);
    }
    assertThat(rounded.get("m")).isEqualTo(plain.get("m"));
    assertThat(rounded.get("v")).isEqualTo(plain.get("v"));
  }

  @Test
  void threadsChangeNoBitAndStepsDrawAnew() {
    double[] one = update(Optional.of(KEY), 0.5, 9, 1).get("p");
    assertThat(update(Optional.of(KEY), 0.5, 9, 3).get("p")).isEqualTo(one);
    assertThat(update(Optional.of(KEY), 0.5, 10, 1).get("p")).isNotEqualTo(one);
  }

  @Test
  void aSkippedStepLeavesEveryBit() {
    double[] before = update(Optional.empty(), 0, 9, 1).get("p");
    assertThat(update(Optional.of(KEY), 0, 9, 1).get("p")).isEqualTo(before);
  }
}
