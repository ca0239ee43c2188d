package dev.kindling.kernels.backend.cuda.layout;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kindling.kernels.graph.Demand;
import dev.kindling.kernels.graph.Graph;
import dev.kindling.kernels.graph.GraphBuilder;
import dev.kindling.kernels.graph.Init;
import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.graph.Role;
import dev.kindling.kernels.graph.Shape;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.ValueType;
import dev.kindling.kernels.graph.Variable;
import dev.kindling.kernels.graph.op.Accumulate;
import dev.kindling.kernels.graph.op.BiasGradient;
import dev.kindling.kernels.graph.op.ConcatColumns;
import dev.kindling.kernels.graph.op.LinearInputGradient;
import dev.kindling.kernels.graph.op.WeightLayout;
import java.util.List;
import org.junit.jupiter.api.Test;

class ViewColumnsTest {
  private final GraphBuilder builder = new GraphBuilder();
  private final Value in = builder.variable(new Variable("in", ValueType.f32(4, 16), Role.INPUT));
  private final Value weight =
      builder.param(new Param("w", Shape.of(16, 16), Demand.whole(), Init.zeros(), true));

  private List<Group> views() {
    Graph graph = builder.build();
    Layout layout = Layout.of(graph, Precision.BF16, new GroupRules(true, false, false, false));
    LayoutCheck.check(graph, layout);
    return layout.groups().stream().filter(group -> group.kind() == Group.Kind.VIEW).toList();
  }

  @Test
  void aSplitOfAProductIsAView() {
    List<Value> halves = builder.splitColumns(builder.linear(in, weight), 8, 8);
    builder.swiGlu(halves.get(0), halves.get(1));
    assertThat(views()).hasSize(1);
  }

  @Test
  void aSplitForAKernelOfDenseRowsIsExecuted() {
    List<Value> halves = builder.splitColumns(builder.linear(in, weight), 8, 8);
    builder.gelu(halves.get(0));
    assertThat(views()).isEmpty();
  }

  @Test
  void aSplitOfAVariableIsExecuted() {
    List<Value> halves = builder.splitColumns(in, 8, 8);
    builder.swiGlu(halves.get(0), halves.get(1));
    assertThat(views()).isEmpty();
  }

  @Test
  void aSplitIntoUnalignedRowsIsExecuted() {
    List<Value> parts = builder.splitColumns(builder.linear(in, weight), 4, 4, 8);
    builder.swiGlu(parts.get(0), parts.get(1));
    assertThat(views()).isEmpty();
  }

  @Test
  void productsWriteStraightIntoAConcatenation() {
    Value a = builder.linear(in, weight);
    Value b = builder.linear(in, weight);
    builder.gelu(builder.add(new ConcatColumns(), a, b).get(0));
    assertThat(views()).hasSize(1);
  }

  @Test
  void aConcatenationOfOneValueTwiceIsExecuted() {
    Value a = builder.linear(in, weight);
    builder.add(new ConcatColumns(), a, a);
    assertThat(views()).isEmpty();
  }

  @Test
  void aPieceThatChangesAfterwardsKeepsItsOwnMemory() {
    Value a = builder.linear(in, weight);
    Value b = builder.linear(in, weight);
    Value whole = builder.add(new ConcatColumns(), a, b).get(0);
    builder.add(new LinearInputGradient(WeightLayout.OUT_IN, true), in, weight, a);
    builder.gelu(whole);
    assertThat(views()).isEmpty();
  }

  @Test
  void aConcatenationThatChangesWhileAPieceIsReadIsExecuted() {
    Value a = builder.linear(in, weight);
    Value b = builder.linear(in, weight);
    Value whole = builder.add(new ConcatColumns(), a, b).get(0);
    builder.add(new Accumulate(), whole, builder.gelu(whole));
    builder.add(new BiasGradient(false), a);
    assertThat(views()).isEmpty();
  }
}
