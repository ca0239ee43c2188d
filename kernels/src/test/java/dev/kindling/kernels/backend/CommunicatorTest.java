package dev.kindling.kernels.backend;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kindling.kernels.graph.Axis;
import dev.kindling.kernels.graph.GraphBuilder;
import dev.kindling.kernels.graph.Node;
import dev.kindling.kernels.graph.PlanException;
import dev.kindling.kernels.graph.Role;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.ValueType;
import dev.kindling.kernels.graph.Variable;
import dev.kindling.kernels.graph.op.AllToAll;
import dev.kindling.kernels.graph.op.Broadcast;
import dev.kindling.kernels.graph.op.Op;
import dev.kindling.kernels.testing.ThreadCommunicator;
import org.junit.jupiter.api.Test;

class CommunicatorTest {
  private final Communicator three = ThreadCommunicator.create(3).get(0);

  private static Node node(Op op) {
    GraphBuilder builder = new GraphBuilder();
    Value x = builder.variable(new Variable("x", ValueType.f32(12, 2), Role.GRADIENT));
    builder.add(op, x);
    return builder.build().nodes().get(0);
  }

  @Test
  void piecesWantARankEach() {
    assertThat(three.ofDegree(node(new AllToAll(Axis.EXPERT, 3)), 3)).isSameAs(three);
    for (int degree : new int[] {2, 4}) {
      Node node = node(new AllToAll(Axis.EXPERT, degree));
      assertThatThrownBy(() -> three.ofDegree(node, degree))
          .isInstanceOf(PlanException.class)
          .hasMessage(
              node
                  + ": expected a communicator of "
                  + degree
                  + " ranks on axis EXPERT, found "
                  + three.worldSize());
    }
  }

  @Test
  void aRootIsOneOfTheRanks() {
    assertThat(three.withRoot(node(new Broadcast(Axis.DATA, 2)), 2)).isSameAs(three);
    Node node = node(new Broadcast(Axis.DATA, 3));
    assertThatThrownBy(() -> three.withRoot(node, 3))
        .isInstanceOf(PlanException.class)
        .hasMessage(node + ": expected more than 3 ranks on axis DATA, found 3");
  }
}
