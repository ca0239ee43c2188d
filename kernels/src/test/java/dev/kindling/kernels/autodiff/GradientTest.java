package dev.kindling.kernels.autodiff;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.kindling.kernels.cases.OpCase;
import dev.kindling.kernels.cases.OpCases;
import dev.kindling.kernels.graph.Columns;
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
import dev.kindling.kernels.graph.op.Linear;
import dev.kindling.kernels.graph.op.MaskedWeight;
import dev.kindling.kernels.graph.op.ScatterColumns;
import dev.kindling.kernels.graph.op.WeightLayout;
import dev.kindling.kernels.testing.Contents;
import dev.kindling.kernels.testing.GraphOracle;
import dev.kindling.kernels.testing.Oracle;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/** Each gradient sentence, evaluated in fp64, against finite differences of the fp64 forward. */
class GradientTest {
  private static final long SEED = Long.getLong("seed", 7L);
  private static final double STEP = 1e-5;

  static List<OpCase> differentiable() {
    return OpCases.all().stream()
        .filter(line -> !WithoutGradient.REASONS.containsKey(line.op().getClass()))
        .filter(line -> !(line.op() instanceof CrossEntropyWithGradient))
        .filter(line -> !(line.op() instanceof ScatterColumns))
        .filter(line -> elements(line) < 2000)
        .filter(line -> line.types().get(0).dtype() == DType.F32)
        .toList();
  }

  private static long elements(OpCase line) {
    return line.types().stream().mapToLong(type -> type.shape().elements()).sum();
  }

  @ParameterizedTest
  @MethodSource("differentiable")
  void sentencesMatchFiniteDifferences(OpCase line) {
    List<List<double[]>> values = new ArrayList<>();
    List<Map<String, double[]>> given = new ArrayList<>();
    for (int rank = 0; rank < line.ranks(); rank++) {
      values.add(line.values(SEED + rank));
      given.add(new HashMap<>());
    }
    GraphBuilder builder = new GraphBuilder();
    Value[] inputs = new Value[line.types().size()];
    for (int i = 0; i < inputs.length; i++) {
      ValueType type = line.types().get(i);
      inputs[i] =
          type.dtype() == DType.I32
              ? builder.input("in" + i, type.shape(), DType.I32)
              : builder.param(constant(line, i) ? frozen("in" + i, type) : param("in" + i, type));
      for (int rank = 0; rank < line.ranks(); rank++) {
        given.get(rank).put("in" + i, values.get(rank).get(i));
      }
    }
    List<Value> outputs = builder.add(line.op(), inputs);
    Map<Value, Value> upstream = new LinkedHashMap<>();
    SplittableRandom random = new SplittableRandom(SEED);
    for (int i = 0; i < outputs.size(); i++) {
      if (saved(line, i)) {
        continue;
      }
      ValueType type = outputs.get(i).type();
      for (Map<String, double[]> own : given) {
        own.put("up" + i, random.doubles(type.shape().elements(), -1, 1).toArray());
      }
      upstream.put(outputs.get(i), builder.variable(new Variable("up" + i, type, Role.INPUT)));
    }
    Autodiff.gradients(builder, upstream);
    List<Map<String, double[]>> after = GraphOracle.run(builder.build(), given);
    for (int rank = 0; rank < line.ranks(); rank++) {
      for (int i = 0; i < inputs.length; i++) {
        double[] gradient = after.get(rank).get("grad/in" + i);
        for (int at = 0; gradient != null && at < gradient.length; at += 1 + gradient.length / 97) {
          double difference = difference(line, given, rank, i, at);
          assertThat(gradient[at])
              .as("%s rank %d input %d element %d seed %d", line, rank, i, at, SEED)
              .isCloseTo(difference, within(2e-6 * Math.max(1, Math.abs(difference))));
        }
      }
    }
  }

  /** What the operation takes as a constant, because it decides by it. */
  private static boolean constant(OpCase line, int input) {
    return line.op() instanceof MaskedWeight && input == 0;
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
      OpCase line, List<Map<String, double[]>> given, int rank, int input, int at) {
    double[] values = Contents.at(given.get(rank), "in" + input);
    double x = values[at];
    values[at] = x + STEP;
    double up = loss(line, given);
    values[at] = x - STEP;
    double down = loss(line, given);
    values[at] = x;
    return (up - down) / (2 * STEP);
  }

  /** The sum over all ranks of weights times outputs. */
  private static double loss(OpCase line, List<Map<String, double[]>> given) {
    List<List<double[]>> values = new ArrayList<>();
    for (Map<String, double[]> own : given) {
      List<double[]> inputs = new ArrayList<>();
      for (int i = 0; i < line.types().size(); i++) {
        inputs.add(Contents.at(own, "in" + i));
      }
      values.add(inputs);
    }
    List<List<double[]>> outputs = Oracle.evaluateRanks(line.op(), line.types(), values);
    double sum = 0;
    for (int rank = 0; rank < line.ranks(); rank++) {
      for (int output = 0; output < outputs.get(rank).size(); output++) {
        double[] weight = given.get(rank).get("up" + output);
        for (int i = 0; weight != null && i < weight.length; i++) {
          sum += weight[i] * outputs.get(rank).get(output)[i];
        }
      }
    }
    return sum;
  }

  /** Products with a frozen matrix over which trained columns are written. */
  @ParameterizedTest
  @EnumSource(WeightLayout.class)
  void columnsOverAFrozenMatrixGetTheGradientOfThemselves(WeightLayout layout) {
    Columns columns = new Columns(List.of(3, 0));
    dev.kindling.kernels.graph.Shape whole = layout.shape(4, 5);
    dev.kindling.kernels.graph.Shape some = layout.columns(whole, columns);
    GraphBuilder builder = new GraphBuilder();
    Value x = builder.param(param("x", ValueType.f32(6, 5)));
    Value delta = builder.param(param("delta", new ValueType(some, DType.F32)));
    Value base = builder.param(new Param("base", some, Demand.none(), Init.zeros(), true));
    Value frozen = builder.param(new Param("w", whole, Demand.none(), Init.zeros(), true));
    ScatterColumns scatter = new ScatterColumns(layout, columns, 1.5f);
    Value written = builder.add(scatter, base, delta, frozen).get(0);
    Linear linear = new Linear(layout, false);
    Value once = builder.add(linear, x, written).get(0);
    Value y = builder.add(once, builder.add(linear, builder.gelu(x), written).get(0));
    Value targets = builder.input("targets", dev.kindling.kernels.graph.Shape.of(6), DType.I32);
    Autodiff.gradients(builder, builder.crossEntropy(y, targets).lossSum());
    Graph graph = builder.build();
    Map<String, double[]> given = new HashMap<>();
    SplittableRandom random = new SplittableRandom(SEED);
    for (Param param : graph.params()) {
      given.put(param.name(), random.doubles(param.shape().elements(), -1, 1).toArray());
    }
    given.put("targets", new double[] {0, 3, -100, 1, 2, 2});
    Map<String, double[]> after = GraphOracle.run(graph, given);
    for (String name : List.of("delta", "x")) {
      double[] gradient = Contents.at(after, "grad/" + name);
      double[] values = Contents.at(given, name);
      for (int i = 0; i < values.length; i++) {
        double at = values[i];
        values[i] = at + STEP;
        double up = Contents.at(GraphOracle.run(graph, given), "loss_sum")[0];
        values[i] = at - STEP;
        double down = Contents.at(GraphOracle.run(graph, given), "loss_sum")[0];
        values[i] = at;
        assertThat(gradient[i])
            .as("%s[%d] seed %d", name, i, SEED)
            .isCloseTo((up - down) / (2 * STEP), within(1e-7));
      }
    }
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
            "Adafactor",
            "AdamDirection",
            "AdamMini",
            "AdamW",
            "AddLoss",
            "AttentionGradient",
            "BiasGradient",
            "CachedAttention",
            "ClipScale",
            "ConcatRows",
            "Copy",
            "CrossEntropy",
            "Depart",
            "DequantizeNf4",
            "Descend",
            "EmbeddingGradient",
            "FactoredMoments",
            "FactoredRms",
            "Fill",
            "GatherColumns",
            "GeluGradient",
            "GlobalNorm",
            "LayerNormGradient",
            "LinearInputGradient",
            "LinearWeightGradient",
            "Lion",
            "MagnitudeGradient",
            "MaskedGradient",
            "Mezo",
            "Momentum",
            "Normalize",
            "OuterUpdate",
            "Perturb",
            "Project",
            "ProjectedGradient",
            "QuantizedAdamW",
            "RandomNormal",
            "Reduce",
            "RmsNormGradient",
            "RowNorms",
            "ScaledUpdate",
            "Sgd",
            "Sketch",
            "SketchMoments",
            "SliceRows",
            "SquaredDistance",
            "StalenessGap",
            "Subspace",
            "SwiGluGradient",
            "Upload",
            "WeightedSum",
            "WriteRows");
    assertThat(WithoutGradient.REASONS.values()).allMatch(reason -> reason.length() > 8);
  }

  private static Param frozen(String name, ValueType type) {
    return new Param(name, type.shape(), Demand.none(), Init.zeros(), true);
  }

  private static Param param(String name, ValueType type) {
    return new Param(name, type.shape(), Demand.whole(), Init.zeros(), true);
  }
}
