package dev.kindling.kernels.backend.cuda.layout;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kindling.kernels.graph.Demand;
import dev.kindling.kernels.graph.Graph;
import dev.kindling.kernels.graph.GraphBuilder;
import dev.kindling.kernels.graph.Init;
import dev.kindling.kernels.graph.Node;
import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.graph.Role;
import dev.kindling.kernels.graph.Shape;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.ValueType;
import dev.kindling.kernels.graph.Variable;
import dev.kindling.kernels.graph.op.Accumulate;
import dev.kindling.kernels.graph.rewrite.GraphCheck;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class OrderTest {
  private static final ValueType TYPE = ValueType.f32(4, 16);

  private final GraphBuilder builder = new GraphBuilder();
  private final Value in = builder.variable(new Variable("in", TYPE, Role.INPUT));
  private final Value weight =
      builder.param(new Param("w", Shape.of(16, 16), Demand.whole(), Init.zeros(), true));

  @Test
  void withoutCandidatesTheOrderStays() {
    builder.gelu(builder.linear(in, weight));
    builder.add(in, in);
    Graph graph = builder.build();
    List<Group> groups = Order.of(graph, List.of());
    assertThat(groups.stream().map(Group::last).toList()).isEqualTo(graph.nodes());
  }

  @Test
  void anOverwriteWaitsForAGroupThatStillReads() {
    Value x = builder.gelu(in);
    builder.linear(x, weight);
    builder.add(new Accumulate(), x, in);
    Value late = builder.gelu(in);
    builder.linear(late, weight);
    Graph graph = builder.build();
    Node first = graph.nodes().get(1);
    Node second = graph.nodes().get(4);
    List<Group> groups =
        Order.of(graph, List.of(new Group(Group.Kind.LINEAR, List.of(first, second))));
    assertThat(groups).hasSize(4);
    List<Node> nodes = new ArrayList<>();
    groups.forEach(group -> nodes.addAll(group.nodes()));
    GraphCheck.check(new Graph(graph.variables(), graph.params(), graph.contents(), nodes));
    assertThat(nodes.get(4).op()).isInstanceOf(Accumulate.class);
    assertThat(nodes).extracting(Node::index).containsExactly(0, 1, 2, 3, 4);
  }

  @Test
  void aGroupThatWaitsForItselfIsDissolved() {
    Value y = builder.linear(in, weight);
    Value z = builder.gelu(y);
    builder.linear(z, weight);
    Graph graph = builder.build();
    Group impossible =
        new Group(Group.Kind.LINEAR, List.of(graph.nodes().get(0), graph.nodes().get(2)));
    assertThat(Order.of(graph, List.of(impossible))).hasSize(3);
  }
}
