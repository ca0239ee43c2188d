package dev.kindling.kernels.graph.rewrite;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kindling.kernels.graph.Graph;
import dev.kindling.kernels.graph.GraphBuilder;
import dev.kindling.kernels.graph.Role;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.ValueType;
import dev.kindling.kernels.graph.Variable;
import dev.kindling.kernels.testing.Contents;
import dev.kindling.kernels.testing.GraphOracle;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

class FuseResidualNormTest {
  private final GraphBuilder builder = new GraphBuilder();
  private final Value a = variable("a", 3, 5);
  private final Value b = variable("b", 3, 5);
  private final Value gain = variable("gain", 5);
  private final Value bias = variable("bias", 5);

  private Value variable(String name, int... dims) {
    return builder.variable(new Variable(name, ValueType.f32(dims), Role.INPUT));
  }

  private List<String> operations(Graph graph) {
    return graph.nodes().stream().map(node -> node.op().getClass().getSimpleName()).toList();
  }

  @Test
  void firesOnSumThenRmsNormAndKeepsBothValues() {
    Value sum = builder.add(a, b);
    Value norm = builder.rmsNorm(sum, gain, 1e-5f);
    builder.output("sum", sum);
    builder.output("norm", norm);
    assertThat(operations(builder.build())).containsExactly("ResidualRmsNorm", "Copy", "Copy");
  }

  @Test
  void firesOnSumThenLayerNorm() {
    builder.output("norm", builder.layerNorm(builder.add(a, b), gain, bias, 1e-5f));
    assertThat(operations(builder.build())).containsExactly("ResidualLayerNorm", "Copy");
  }

  @Test
  void doesNotFireWithoutASum() {
    builder.output("norm", builder.rmsNorm(builder.gelu(a), gain, 1e-5f));
    assertThat(operations(builder.build())).containsExactly("Gelu", "RmsNorm", "Copy");
  }

  @Test
  void doesNotFireWhenTheGainIsComputedLater() {
    Value sum = builder.add(a, b);
    builder.output("norm", builder.rmsNorm(sum, builder.gelu(gain), 1e-5f));
    assertThat(operations(builder.build())).containsExactly("Add", "Gelu", "RmsNorm", "Copy");
  }

  /** One fused pass normalises whole rows alone. */
  @Test
  void doesNotFireForANormOfEachHead() {
    Value wide = builder.variable(new Variable("wide", ValueType.f32(3, 10), Role.INPUT));
    builder.output("norm", builder.rmsNorm(builder.add(wide, wide), gain, 1e-5f));
    assertThat(operations(builder.build())).containsExactly("Add", "RmsNorm", "Copy");
  }

  @Test
  void firesOncePerSum() {
    Value sum = builder.add(a, b);
    builder.output("first", builder.rmsNorm(sum, gain, 1e-5f));
    builder.output("second", builder.rmsNorm(sum, gain, 1e-3f));
    assertThat(operations(builder.build()))
        .containsExactly("ResidualRmsNorm", "Copy", "RmsNorm", "Copy");
  }

  @Test
  void numbersEqualTheUnfused() {
    SplittableRandom random = new SplittableRandom(1);
    Map<String, double[]> given =
        Map.of(
            "a", random.doubles(15).toArray(),
            "b", random.doubles(15).toArray(),
            "gain", random.doubles(5).toArray());
    builder.output("norm", builder.rmsNorm(builder.add(a, b), gain, 1e-5f));
    double[] fused = Contents.at(GraphOracle.run(builder.build(), given), "norm");
    GraphBuilder plain = new GraphBuilder();
    Value sum = plain.variable(new Variable("sum", ValueType.f32(3, 5), Role.INPUT));
    Value weight = plain.variable(new Variable("gain", ValueType.f32(5), Role.INPUT));
    plain.output("norm", plain.rmsNorm(sum, weight, 1e-5f));
    double[] added = new double[15];
    for (int i = 0; i < 15; i++) {
      added[i] = Contents.at(given, "a")[i] + Contents.at(given, "b")[i];
    }
    Map<String, double[]> sumGiven = Map.of("sum", added, "gain", Contents.at(given, "gain"));
    assertThat(fused).isEqualTo(Contents.at(GraphOracle.run(plain.build(), sumGiven), "norm"));
  }
}
