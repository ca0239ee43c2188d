package dev.kindling.kernels.graph.rewrite;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kindling.kernels.graph.Axis;
import dev.kindling.kernels.graph.GraphBuilder;
import dev.kindling.kernels.graph.Role;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.ValueType;
import dev.kindling.kernels.graph.Variable;
import dev.kindling.kernels.graph.op.Accumulate;
import dev.kindling.kernels.graph.op.Accumulation;
import dev.kindling.kernels.graph.op.AllReduce;
import dev.kindling.kernels.graph.op.BiasGradient;
import dev.kindling.kernels.graph.op.Copy;
import dev.kindling.kernels.graph.op.EmbeddingGradient;
import dev.kindling.kernels.graph.op.LayerNormGradient;
import dev.kindling.kernels.graph.op.LinearWeightGradient;
import dev.kindling.kernels.graph.op.Op;
import dev.kindling.kernels.graph.op.RmsNormGradient;
import dev.kindling.kernels.graph.op.WeightLayout;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;

class OverwriteFirstTest {
  private final GraphBuilder builder = new GraphBuilder();
  private final Set<Integer> contents = new HashSet<>();
  private final Value x = value("x", 4, 6);
  private final Value ids = builder.variable(new Variable("ids", ValueType.i32(4), Role.INPUT));

  private Value value(String name, int... dims) {
    return builder.variable(new Variable(name, ValueType.f32(dims), Role.INPUT));
  }

  private Value gradient(String name, int... dims) {
    Value content = builder.variable(new Variable(name, ValueType.f32(dims), Role.GRADIENT));
    contents.add(content.id());
    return content;
  }

  private List<Op> rewritten() {
    builder.rewrite(new OverwriteFirst(contents));
    return builder.nodes().stream().map(node -> node.op()).toList();
  }

  @Test
  void theFirstSumWritesAndTheNextOnesAdd() {
    LinearWeightGradient adds = new LinearWeightGradient(WeightLayout.OUT_IN, true);
    Value weight = builder.add(adds, x, x, gradient("w", 6, 6)).get(0);
    builder.add(adds, x, x, weight);
    EmbeddingGradient table = new EmbeddingGradient(9, true);
    builder.add(table, x, ids, builder.add(table, x, ids, gradient("t", 9, 6)).get(0));
    builder.add(new BiasGradient(true), x, gradient("b", 6));
    assertThat(rewritten())
        .containsExactly(
            new LinearWeightGradient(WeightLayout.OUT_IN, false, true),
            adds,
            new EmbeddingGradient(9, false, true),
            table,
            new BiasGradient(false, true));
  }

  @Test
  void aSumWithAnActivationBecomesACopyOfIt() {
    Value loss = builder.gelu(x);
    Value total = builder.add(new Accumulate(), gradient("total", 4, 6), loss).get(0);
    assertThat(rewritten().get(1)).isEqualTo(new Copy());
    assertThat(builder.nodes().get(1).inputs().get(0)).isEqualTo(loss);
    assertThat(builder.nodes().get(1).output(0)).isEqualTo(total);
  }

  @Test
  void normsWriteBothOfTheirVectors() {
    Value gain = value("gain", 6);
    Value r = value("r", 4);
    builder.add(
        new RmsNormGradient(false, Accumulation.INTO_VARIABLE), x, gain, r, x, gradient("g", 6));
    builder.add(
        new LayerNormGradient(true, Accumulation.INTO_VARIABLE, Accumulation.INTO_VARIABLE),
        x,
        gain,
        value("moments", 4, 2),
        x,
        x,
        gradient("lg", 6),
        gradient("lb", 6));
    assertThat(rewritten())
        .containsExactly(
            new RmsNormGradient(false, Accumulation.OVER_VARIABLE),
            new LayerNormGradient(true, Accumulation.OVER_VARIABLE, Accumulation.OVER_VARIABLE));
  }

  @Test
  void whatIsReadOtherwiseOrNotGivenStays() {
    Axis axis = Axis.DATA;
    builder.add(new AllReduce(axis), gradient("votes", 1));
    Value other = value("kept", 6);
    builder.add(new BiasGradient(true), x, other);
    assertThat(rewritten()).containsExactly(new AllReduce(axis), new BiasGradient(true));
  }
}
