package dev.kindling.kernels.backend.cpu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.kindling.kernels.backend.MatmulKind;
import dev.kindling.kernels.graph.Channels;
import dev.kindling.kernels.graph.GraphBuilder;
import dev.kindling.kernels.graph.Role;
import dev.kindling.kernels.graph.StepScalar;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.ValueType;
import dev.kindling.kernels.graph.Variable;
import dev.kindling.kernels.graph.op.AdamW;
import dev.kindling.kernels.graph.op.ScaledUpdate;
import dev.kindling.kernels.graph.op.SketchMoments;
import dev.kindling.kernels.testing.CpuRun;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** What follows from a sketch, where the sketch is known. */
class SketchCpuTest {
  private static final long SEED = Long.getLong("seed", 20261128L);
  private static final float EPS = 1e-6f;

  private static Value matrix(GraphBuilder b, String name, int rows, int columns, Role role) {
    return b.variable(new Variable(name, ValueType.f32(rows, columns), role));
  }

  private static double[] scalars(int update) {
    double[] scalars = new double[StepScalar.values().length];
    scalars[StepScalar.LEARNING_RATE.ordinal()] = 0.01;
    scalars[StepScalar.BIAS_CORRECTION1.ordinal()] = 1 - Math.pow(0.9, update);
    scalars[StepScalar.BIAS_CORRECTION2.ordinal()] = 1 - Math.pow(0.999, update);
    scalars[StepScalar.STEP.ordinal()] = update;
    return scalars;
  }

  /** The update after a sketch that is the gradient itself: P = I, rank = m. */
  private static void update(Map<String, double[]> held, Channels channels) {
    GraphBuilder b = new GraphBuilder();
    int n = channels.own();
    int m = channels.contracted();
    Value p = matrix(b, "p", channels.rows(), channels.columns(), Role.PARAMETER);
    Value g = matrix(b, "g", channels.rows(), channels.columns(), Role.GRADIENT);
    Value sketch = matrix(b, "sketch", n, m, Role.INPUT);
    Value squares = b.variable(new Variable("squares", ValueType.f32(n), Role.INPUT));
    Value first = matrix(b, "m", n, m, Role.STATE);
    Value second = matrix(b, "v", n, m, Role.STATE);
    Value scale = b.variable(new Variable("scale", ValueType.f32(1), Role.INPUT));
    List<Value> moments =
        b.add(new SketchMoments(0.9f, 0.999f, EPS, true, 1), sketch, squares, first, second, scale);
    ScaledUpdate op = new ScaledUpdate(channels, true, 1, false, 0, 0);
    b.add(op, p, g, moments.get(2), moments.get(3), scale, b.step());
    held.putAll(CpuRun.run(b.build(), held, 1, MatmulKind.JAVA));
  }

  private static void adam(Map<String, double[]> held, int rows, int columns) {
    GraphBuilder b = new GraphBuilder();
    Value p = matrix(b, "p", rows, columns, Role.PARAMETER);
    Value g = matrix(b, "g", rows, columns, Role.GRADIENT);
    Value first = matrix(b, "m", rows, columns, Role.STATE);
    Value second = matrix(b, "v", rows, columns, Role.STATE);
    Value scale = b.variable(new Variable("scale", ValueType.f32(1), Role.INPUT));
    AdamW op = new AdamW(0.9f, 0.999f, 1e-12f, 0, Optional.empty());
    b.add(op, p, g, first, second, scale, b.step());
    held.putAll(CpuRun.run(b.build(), held, 1, MatmulKind.JAVA));
  }

  private static double[] lengths(double[] moved, Channels channels) {
    double[] squares = new double[channels.own()];
    for (int i = 0; i < moved.length; i++) {
      int at = channels.areRows() ? i / channels.columns() : i % channels.columns();
      squares[at] += moved[i] * moved[i];
    }
    return Arrays.stream(squares).map(Math::sqrt).toArray();
  }

  /** Sketches of full rank lose nothing: every channel goes as far as AdamW takes it. */
  @Test
  void channelsOfAWholeSketchMoveAsFarAsAdamWMovesThem() {
    for (int[] shape : new int[][] {{6, 17}, {17, 6}, {9, 9}}) {
      Channels channels = new Channels(shape[0], shape[1], 1);
      int count = shape[0] * shape[1];
      Random random = new Random(SEED);
      Map<String, double[]> one = new HashMap<>();
      Map<String, double[]> other = new HashMap<>();
      for (Map<String, double[]> held : List.of(one, other)) {
        held.put("m", new double[count]);
        held.put("v", new double[count]);
        held.put("scale", new double[] {1});
      }
      for (int update = 1; update <= 12; update++) {
        double[] g = new double[count];
        Arrays.setAll(g, i -> (float) random.nextGaussian());
        double[] sketch = new double[count];
        double root = Math.sqrt(channels.contracted());
        for (int i = 0; i < count; i++) {
          int turned = i % shape[1] * shape[0] + i / shape[1];
          sketch[channels.areRows() ? i : turned] = root * g[i];
        }
        double[] squares = Arrays.stream(lengths(g, channels)).map(x -> x * x).toArray();
        one.putAll(Map.of("sketch", sketch, "squares", squares));
        for (Map<String, double[]> held : List.of(one, other)) {
          held.putAll(Map.of("p", new double[count], "g", g, "step", scalars(update)));
        }
        update(one, channels);
        adam(other, shape[0], shape[1]);
        double[] expected = lengths(other.get("p"), channels);
        double[] found = lengths(one.get("p"), channels);
        for (int j = 0; j < found.length; j++) {
          assertThat(found[j])
              .as("%s channel %d, update %d, seed %d", channels, j, update, SEED)
              .isCloseTo(expected[j], within(1e-3 * expected[j]));
        }
      }
    }
  }
}
