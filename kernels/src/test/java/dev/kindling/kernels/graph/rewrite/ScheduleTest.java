package dev.kindling.kernels.graph.rewrite;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kindling.kernels.graph.Columns;
import dev.kindling.kernels.graph.Graph;
import dev.kindling.kernels.graph.GraphBuilder;
import dev.kindling.kernels.graph.Role;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.ValueType;
import dev.kindling.kernels.graph.Variable;
import dev.kindling.kernels.graph.op.GatherColumns;
import dev.kindling.kernels.memory.MemoryPlan;
import java.util.List;
import org.junit.jupiter.api.Test;

class ScheduleTest {
  private final GraphBuilder builder = new GraphBuilder();
  private final Value input =
      builder.variable(new Variable("x", ValueType.f32(16, 32), Role.INPUT));

  @Test
  void gathersMoveBehindTheirProducerAndFreeTheActivation() {
    Value x = builder.gelu(input);
    Value y = builder.gelu(builder.gelu(x));
    Value columns = builder.add(new GatherColumns(new Columns(List.of(1))), x).get(0);
    builder.output("y", y);
    builder.output("columns", columns);
    Graph graph = builder.build();
    assertThat(graph.nodes().get(1).op()).isInstanceOf(GatherColumns.class);
    assertThat(MemoryPlan.of(graph).totalBytes()).isEqualTo(16 * 32 * 4 + 16 * 4);
  }

  @Test
  void gathersOfVariablesStay() {
    builder.output("y", builder.gelu(input));
    Value columns = builder.add(new GatherColumns(new Columns(List.of(1))), input).get(0);
    builder.output("columns", columns);
    assertThat(builder.build().nodes().get(2).op()).isInstanceOf(GatherColumns.class);
  }
}
