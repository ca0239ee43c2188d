package dev.kindling.kernels.backend.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kindling.kernels.backend.MatmulKind;
import dev.kindling.kernels.graph.GraphBuilder;
import dev.kindling.kernels.graph.Role;
import dev.kindling.kernels.graph.StepScalar;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.ValueType;
import dev.kindling.kernels.graph.Variable;
import dev.kindling.kernels.graph.op.Adafactor;
import dev.kindling.kernels.graph.op.FactoredMoments;
import dev.kindling.kernels.graph.op.FactoredRms;
import dev.kindling.kernels.testing.CpuRun;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class FactoredCpuTest {
  private static final int SIDE = 4;
  private static final double LR = 0.01;

  /** The first update, whose moments are those of the one gradient. */
  private static Map<String, double[]> update(double[] gradient) {
    GraphBuilder b = new GraphBuilder();
    Value p = b.variable(new Variable("p", ValueType.f32(SIDE, SIDE), Role.PARAMETER));
    Value g = b.variable(new Variable("g", ValueType.f32(SIDE, SIDE), Role.GRADIENT));
    Value rows = b.variable(new Variable("rows", ValueType.f32(SIDE), Role.STATE));
    Value columns = b.variable(new Variable("columns", ValueType.f32(SIDE), Role.STATE));
    Value scale = b.variable(new Variable("scale", ValueType.f32(1), Role.INPUT));
    List<Value> moments = b.add(new FactoredMoments(1e-30f), g, rows, columns, scale, b.step());
    Value newRows = moments.get(0);
    Value newColumns = moments.get(1);
    Value mean = moments.get(2);
    Value rms = b.add(new FactoredRms(), g, newRows, newColumns, mean, scale).get(0);
    b.add(new Adafactor(1, 0, false, 0), p, g, newRows, newColumns, mean, rms, scale, b.step());
    double[] scalars = new double[StepScalar.values().length];
    scalars[StepScalar.LEARNING_RATE.ordinal()] = LR;
    scalars[StepScalar.BIAS_CORRECTION2.ordinal()] = 1;
    Map<String, double[]> given = new HashMap<>();
    given.put("p", new double[SIDE * SIDE]);
    given.put("g", gradient);
    given.put("rows", new double[SIDE]);
    given.put("columns", new double[SIDE]);
    given.put("scale", new double[] {1});
    given.put("step", scalars);
    return CpuRun.run(b.build(), given, 1, MatmulKind.JAVA);
  }

  /**
   * Alone in its row and column an element of 1e-14 has a moment of 4e-52, which fp32 has not; its
   * update is the longest of all nevertheless.
   */
  @Test
  void anElementWhoseMomentIsBelowFp32MovesAsTheFormulaSays() {
    double[] gradient = new double[SIDE * SIDE];
    for (int row = 0; row < SIDE - 1; row++) {
      for (int column = 0; column < SIDE - 1; column++) {
        gradient[row * SIDE + column] = 1;
      }
    }
    gradient[SIDE * SIDE - 1] = 1e-14;
    double[] moved = update(gradient).get("p");
    double row = 0.75;
    double least = (1e-28 + 4e-30) / 4;
    double mean = 0.75 * row + 0.25 * least;
    double large = 1 / Math.sqrt(row / mean * row);
    double small = 1e-14 / Math.sqrt(least / mean * least);
    double rms = Math.sqrt((9 * large * large + small * small) / 16);
    assertThat(moved[0]).isCloseTo(-LR * large / rms, within(LR * large / rms));
    assertThat(moved[15]).isCloseTo(-LR * small / rms, within(LR * small / rms));
    assertThat(moved[3]).isZero();
  }

  private static org.assertj.core.data.Offset<Double> within(double size) {
    return org.assertj.core.data.Offset.offset(1e-5 * size);
  }
}
