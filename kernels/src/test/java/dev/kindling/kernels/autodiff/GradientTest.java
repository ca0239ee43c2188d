package dev.kindling.kernels.autodiff;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.kindling.kernels.graph.DType;
import dev.kindling.kernels.graph.Demand;
import dev.kindling.kernels.graph.Graph;
import dev.kindling.kernels.graph.GraphBuilder;
import dev.kindling.kernels.graph.Init;
import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.graph.PlanException;
import dev.kindling.kernels.graph.Role;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.ValueType;
import dev.kindling.kernels.graph.Variable;
import dev.kindling.kernels.graph.op.CrossEntropyWithGradient;
import dev.kindling.kernels.testing.Contents;
import dev.kindling.kernels.testing.GraphOracle;
import dev.kindling.kernels.testing.OpCase;
import dev.kindling.kernels.testing.OpCases;
import dev.kindling.kernels.testing.Oracle;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Each gradient sentence, evaluated in fp64, against finite differences of the fp64 forward. */
class GradientTest {
  private static final long SEED = Long.getLong("seed", 7L);
  private static final double STEP = 1e-5;

  static List<OpCase> differentiable() {
    return OpCases.all().stream()
        .filter(line -> !WithoutGradient.REASONS.containsKey(line.op().getClass()))
        .filter(line -> !(line.op() instanceof CrossEntropyWithGradient))
        .filter(line -> elements(line) < 2000)
        .toList();
  }

  private static long elements(OpCase line) {
    return line.types().stream().mapToLong(type -> type.shape().elements()).sum();
  }

  @ParameterizedTest
  @MethodSource("differentiable")
  void sentencesMatchFiniteDifferences(OpCase line) {
    List<double[]> values = line.values(SEED);
    GraphBuilder builder = new GraphBuilder();
    Map<String, double[]> given = new HashMap<>();
    Value[] inputs = new Value[values.size()];
    for (int i = 0; i < inputs.length; i++) {
      ValueType type = line.types().get(i);
      inputs[i] =
          type.dtype() == DType.I32
              ? builder.input("in" + i, type.shape(), DType.I32)
              : builder.param(param("in" + i, type));
      given.put("in" + i, values.get(i));
    }
    List<Value> outputs = builder.add(line.op(), inputs);
    Map<Value, Value> upstream = new LinkedHashMap<>();
    Map<Integer, double[]> weights = new HashMap<>();
    SplittableRandom random = new SplittableRandom(SEED);
    for (int i = 0; i < outputs.size(); i++) {
      if (saved(line, i)) {
        continue;
      }
      ValueType type = outputs.get(i).type();
      double[] weight = random.doubles(type.shape().elements(), -1, 1).toArray();
      weights.put(i, weight);
      given.put("up" + i, weight);
      upstream.put(outputs.get(i), builder.variable(new Variable("up" + i, type, Role.INPUT)));
    }
    Autodiff.gradients(builder, upstream);
    Map<String, double[]> after = GraphOracle.run(builder.build(), given);
    for (int i = 0; i < inputs.length; i++) {
      double[] gradient = after.get("grad/in" + i);
      for (int at = 0; gradient != null && at < gradient.length; at += 1 + gradient.length / 97) {
        double difference = difference(line, values, weights, i, at);
        assertThat(gradient[at])
            .as("%s input %d element %d seed %d", line, i, at, SEED)
            .isCloseTo(difference, within(2e-6 * Math.max(1, Math.abs(difference))));
      }
    }
  }

  /** Outputs kept for backward only: nothing downstream reads them. */
  private static boolean saved(OpCase line, int output) {
    return switch (line.op().getClass().getSimpleName()) {
      case "RmsNorm", "LayerNorm", "Attention" -> output == 1;
      case "ResidualRmsNorm", "ResidualLayerNorm" -> output == 2;
      default -> false;
    };
  }

  private static double difference(
      OpCase line, List<double[]> values, Map<Integer, double[]> weights, int input, int at) {
    double x = values.get(input)[at];
    values.get(input)[at] = x + STEP;
    double up = weighted(line, values, weights);
    values.get(input)[at] = x - STEP;
    double down = weighted(line, values, weights);
    values.get(input)[at] = x;
    return (up - down) / (2 * STEP);
  }

  private static double weighted(
      OpCase line, List<double[]> values, Map<Integer, double[]> weights) {
    List<double[]> outputs = Oracle.evaluate(line.op(), line.types(), values);
    double sum = 0;
    for (Map.Entry<Integer, double[]> entry : weights.entrySet()) {
      for (int i = 0; i < entry.getValue().length; i++) {
        sum += entry.getValue()[i] * outputs.get(entry.getKey())[i];
      }
    }
    return sum;
  }

  @Test
  void crossEntropyIsTheLossItself() {
    GraphBuilder builder = new GraphBuilder();
    Value logits = builder.param(param("logits", ValueType.f32(5, 7)));
    Value targets = builder.input("targets", dev.kindling.kernels.graph.Shape.of(5), DType.I32);
    Autodiff.gradients(builder, builder.crossEntropy(logits, targets).lossSum());
    Graph graph = builder.build();
    double[] z = new SplittableRandom(SEED).doubles(35, -3, 3).toArray();
    Map<String, double[]> given = Map.of("logits", z, "targets", new double[] {0, 6, -100, 3, 3});
    double[] gradient = Contents.at(GraphOracle.run(graph, given), "grad/logits");
    for (int i = 0; i < z.length; i++) {
      double x = z[i];
      z[i] = x + STEP;
      double up = Contents.at(GraphOracle.run(graph, given), "loss_sum")[0];
      z[i] = x - STEP;
      double down = Contents.at(GraphOracle.run(graph, given), "loss_sum")[0];
      z[i] = x;
      assertThat(gradient[i]).isCloseTo((up - down) / (2 * STEP), within(1e-7));
    }
    assertThat(Contents.at(GraphOracle.run(graph, given), "token_count")).containsExactly(4);
  }

  @Test
  void frozenParametersLeaveNoNodeBehind() {
    GraphBuilder builder = new GraphBuilder();
    Param frozen = new Param("w", ValueType.f32(3, 4).shape(), Demand.none(), Init.zeros(), true);
    Value x = builder.input("x", dev.kindling.kernels.graph.Shape.of(2, 4), DType.F32);
    Value y = builder.linear(x, builder.param(frozen));
    Value targets = builder.input("targets", dev.kindling.kernels.graph.Shape.of(2), DType.I32);
    Map<Param, Value> gradients =
        Autodiff.gradients(builder, builder.crossEntropy(y, targets).lossSum());
    assertThat(gradients).isEmpty();
    assertThat(builder.build().nodes().stream().map(node -> node.op().getClass().getSimpleName()))
        .containsExactly("Linear", "CrossEntropyWithGradient", "Accumulate", "Accumulate");
  }

  @Test
  void columnsOfSomethingElseThanALinearWeightAreRefused() {
    GraphBuilder builder = new GraphBuilder();
    Param table =
        new Param("wte", ValueType.f32(5, 4).shape(), Demand.columns(1), Init.zeros(), true);
    Value ids = builder.input("ids", dev.kindling.kernels.graph.Shape.of(2), DType.I32);
    Value x = builder.embedding(builder.param(table), ids);
    assertThatThrownBy(() -> Autodiff.gradients(builder, builder.crossEntropy(x, ids).lossSum()))
        .isInstanceOf(PlanException.class)
        .hasMessageContaining("wte");
  }

  /**
   * The list is closed: whoever adds an operation without a gradient writes the reason and comes by
   * here.
   */
  @Test
  void reasonsArePinned() {
    assertThat(WithoutGradient.REASONS.keySet().stream().map(Class::getSimpleName).sorted())
        .containsExactly(
            "Accumulate",
            "AdamW",
            "AllReduce",
            "AttentionGradient",
            "BiasGradient",
            "ClipScale",
            "Copy",
            "CrossEntropy",
            "EmbeddingGradient",
            "Fill",
            "GatherColumns",
            "GeluGradient",
            "GlobalNorm",
            "LayerNormGradient",
            "LinearInputGradient",
            "LinearWeightGradient",
            "RandomNormal",
            "RmsNormGradient",
            "Sgd",
            "SwiGluGradient");
    assertThat(WithoutGradient.REASONS.values()).allMatch(reason -> reason.length() > 8);
  }

  private static Param param(String name, ValueType type) {
    return new Param(name, type.shape(), Demand.whole(), Init.zeros(), true);
  }
}
