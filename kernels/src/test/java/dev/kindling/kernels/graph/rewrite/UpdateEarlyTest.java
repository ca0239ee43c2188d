package dev.kindling.kernels.graph.rewrite;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kindling.kernels.graph.GraphBuilder;
import dev.kindling.kernels.graph.Node;
import dev.kindling.kernels.graph.Role;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.ValueType;
import dev.kindling.kernels.graph.Variable;
import dev.kindling.kernels.graph.op.Accumulate;
import dev.kindling.kernels.graph.op.Add;
import dev.kindling.kernels.graph.op.Fill;
import dev.kindling.kernels.graph.op.GlobalNorm;
import dev.kindling.kernels.graph.op.Op;
import dev.kindling.kernels.graph.op.SwiGlu;
import java.util.List;
import org.junit.jupiter.api.Test;

class UpdateEarlyTest {
  private static final ValueType MATRIX = ValueType.f32(2, 3);

  private final GraphBuilder builder = new GraphBuilder();

  private Value variable(String name) {
    return builder.variable(new Variable(name, MATRIX, Role.PARAMETER));
  }

  private List<Class<? extends Op>> ops() {
    return builder.nodes().stream().<Class<? extends Op>>map(node -> node.op().getClass()).toList();
  }

  @Test
  void anUpdateStandsBehindTheLastReaderOfWhatItOverwrites() {
    Value weight = variable("w");
    Value x = variable("x");
    Value gradient = builder.add(new Add(), x, x).get(0);
    Value dx = builder.add(new SwiGlu(), gradient, weight).get(0);
    builder.add(new SwiGlu(), dx, x);
    int from = builder.nodes().size();
    builder.add(new GlobalNorm(false), gradient);
    builder.add(new Accumulate(), weight, gradient);
    builder.rewrite(new UpdateEarly(from));
    assertThat(ops())
        .containsExactly(Add.class, GlobalNorm.class, SwiGlu.class, Accumulate.class, SwiGlu.class);
  }

  @Test
  void movedNodesFollowEachOtherAndOneThatNeedsNobodyStays() {
    Value x = variable("x");
    Value first = builder.add(new Add(), x, x).get(0);
    builder.add(new SwiGlu(), x, x);
    int from = builder.nodes().size();
    builder.add(new Fill(0f), variable("votes"));
    Value twice = builder.add(new Add(), first, first).get(0);
    builder.add(new GlobalNorm(false), twice);
    builder.rewrite(new UpdateEarly(from));
    assertThat(ops())
        .containsExactly(Add.class, Add.class, GlobalNorm.class, SwiGlu.class, Fill.class);
    assertThat(builder.nodes()).extracting(Node::index).containsExactly(0, 1, 2, 3, 4);
  }
}
