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
import dev.kindling.kernels.graph.op.BiasGradient;
import java.util.List;
import org.junit.jupiter.api.Test;

class PackProductsTest {
  private final GraphBuilder builder = new GraphBuilder();
  private final Value in = builder.variable(new Variable("in", ValueType.f32(4, 12), Role.INPUT));

  private Value param(String name, int... dims) {
    return builder.param(new Param(name, Shape.of(dims), Demand.whole(), Init.zeros(), true));
  }

  private List<Integer> groups() {
    Graph graph = builder.build();
    Layout layout = Layout.of(graph, Precision.BF16, GroupRules.ALL);
    LayoutCheck.check(graph, layout);
    return layout.groups().stream()
        .filter(group -> group.kind() == Group.Kind.LINEAR)
        .map(group -> group.nodes().size())
        .toList();
  }

  /** Only readers that take strides; a bias gradient sums columns of anything. */
  private void product(Value... weightAndBias) {
    Value y =
        weightAndBias.length == 1
            ? builder.linear(in, weightAndBias[0])
            : builder.linear(in, weightAndBias[0], weightAndBias[1]);
    builder.add(new BiasGradient(false), y);
  }

  @Test
  void neighboursBecomeOneProduct() {
    Value a = param("a", 16, 12);
    Value b = param("b", 8, 12);
    Value c = param("c", 8, 12);
    product(b);
    product(a);
    product(c);
    assertThat(groups()).containsExactly(3);
  }

  @Test
  void aWeightBetweenThemKeepsThemApart() {
    Value a = param("a", 16, 12);
    param("other", 16, 12);
    Value c = param("c", 16, 12);
    product(a);
    product(c);
    assertThat(groups()).isEmpty();
  }

  @Test
  void paddingBetweenThemKeepsThemApart() {
    // 8 * 13 * 4 bytes are no multiple of 64.
    Value wide = builder.variable(new Variable("wide", ValueType.f32(4, 13), Role.INPUT));
    Value a = param("a", 8, 13);
    Value b = param("b", 8, 13);
    builder.add(new BiasGradient(false), builder.linear(wide, a));
    builder.add(new BiasGradient(false), builder.linear(wide, b));
    assertThat(groups()).isEmpty();
  }

  @Test
  void biasesMustBeNeighboursToo() {
    Value a = param("a", 16, 12);
    Value b = param("b", 16, 12);
    Value bias = param("a.bias", 16);
    param("other", 16);
    Value far = param("b.bias", 16);
    product(a, bias);
    product(b, far);
    assertThat(groups()).isEmpty();
  }

  @Test
  void biasesSideBySideGoAlong() {
    Value a = param("a", 16, 12);
    Value b = param("b", 16, 12);
    product(a, param("a.bias", 16));
    product(b, param("b.bias", 16));
    assertThat(groups()).containsExactly(2);
  }

  @Test
  void aReaderOfDenseRowsKeepsThemApart() {
    Value a = param("a", 16, 12);
    Value b = param("b", 16, 12);
    product(a);
    builder.add(builder.linear(in, b), builder.linear(in, b));
    assertThat(groups()).isEmpty();
  }
}
