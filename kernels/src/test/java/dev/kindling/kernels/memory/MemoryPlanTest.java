package dev.kindling.kernels.memory;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kindling.kernels.graph.Demand;
import dev.kindling.kernels.graph.Graph;
import dev.kindling.kernels.graph.GraphBuilder;
import dev.kindling.kernels.graph.Init;
import dev.kindling.kernels.graph.Node;
import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.graph.PlanException;
import dev.kindling.kernels.graph.Role;
import dev.kindling.kernels.graph.Shape;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.ValueType;
import dev.kindling.kernels.graph.Variable;
import dev.kindling.kernels.graph.op.Accumulate;
import dev.kindling.kernels.graph.op.Add;
import dev.kindling.kernels.graph.op.Op;
import dev.kindling.kernels.graph.op.SplitColumns;
import dev.kindling.kernels.graph.op.SwiGluGradient;
import dev.kindling.kernels.testing.CpuRun;
import dev.kindling.kernels.testing.GraphOracle;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

class MemoryPlanTest {
  /** Random graphs of widths 1 to 40: places of blocks that live at one time never overlap. */
  @Test
  void liveBlocksNeverOverlap() {
    for (long seed = 1; seed <= 60; seed++) {
      Graph graph = random(seed);
      MemoryPlan plan = MemoryPlan.of(graph, 4096);
      List<Lifetime> lives = plan.lifetimes();
      for (int i = 0; i < lives.size(); i++) {
        for (int j = 0; j < i; j++) {
          boolean apart =
              !lives.get(i).overlaps(lives.get(j)) || disjoint(plan, lives.get(i), lives.get(j));
          assertThat(apart).as("seed %d: %s", seed, plan.table()).isTrue();
        }
      }
      assertThat(plan.totalBytes())
          .as("seed %d", seed)
          .isGreaterThanOrEqualTo(plan.liveBytesPeak());
      assertThat(plan.arenaBytes()).allMatch(bytes -> bytes <= 4096);
    }
  }

  private static boolean disjoint(MemoryPlan plan, Lifetime a, Lifetime b) {
    Place at = plan.placeOf(new Value(a.value(), ValueType.f32(1)));
    Place bt = plan.placeOf(new Value(b.value(), ValueType.f32(1)));
    return at.arena() != bt.arena()
        || at.offset() + a.bytes() <= bt.offset()
        || bt.offset() + b.bytes() <= at.offset();
  }

  /** The proof by running: results in shared memory equal results in memory of one's own. */
  @Test
  void randomGraphsRunRight() {
    for (long seed = 1; seed <= 25; seed++) {
      Graph graph = random(seed);
      Map<String, double[]> given = new HashMap<>();
      SplittableRandom random = new SplittableRandom(seed);
      for (Variable variable : graph.variables()) {
        if (variable.role() == Role.INPUT) {
          int count = (int) variable.type().shape().elements();
          given.put(variable.name(), random.ints(count, -4, 5).asDoubleStream().toArray());
        }
      }
      Map<String, double[]> expected = GraphOracle.run(graph, given);
      Map<String, double[]> found =
          CpuRun.run(graph, given, 1, dev.kindling.kernels.backend.MatmulKind.OPENBLAS);
      for (Variable variable : graph.variables()) {
        assertThat(found.get(variable.name()))
            .as("%s seed %d%n%s", variable.name(), seed, graph)
            .isEqualTo(expected.get(variable.name()));
      }
    }
  }

  /** Sums, splits and in-place sums of small integers: exact in fp32. */
  private static Graph random(long seed) {
    SplittableRandom random = new SplittableRandom(seed);
    GraphBuilder builder = new GraphBuilder();
    List<Value> values = new ArrayList<>();
    for (int i = 0; i < 3; i++) {
      ValueType type = ValueType.f32(3, 1 + random.nextInt(40));
      Value input = builder.variable(new Variable("in" + i, type, Role.INPUT));
      values.add(builder.add(new SplitColumns(List.of(type.shape().dim(1))), input).get(0));
    }
    for (int i = 0; i < 25; i++) {
      Value a = values.get(random.nextInt(values.size()));
      List<Value> same = values.stream().filter(v -> v.type().equals(a.type())).toList();
      Value b = same.get(random.nextInt(same.size()));
      int width = a.shape().dim(1);
      switch (random.nextInt(3)) {
        case 0 -> values.add(builder.add(a, b));
        case 1 -> {
          if (width > 1) {
            int left = 1 + random.nextInt(width - 1);
            values.addAll(builder.add(new SplitColumns(List.of(left, width - left)), a));
          }
        }
        default -> {
          if (!a.equals(b)) {
            values.remove(a);
            values.add(builder.add(new Accumulate(), a, b).get(0));
          }
        }
      }
    }
    for (int i = 0; i < 3; i++) {
      builder.output("out" + i, values.get(random.nextInt(values.size())));
    }
    return builder.build();
  }

  @Test
  void dyingInputsAreTakenOver() {
    GraphBuilder builder = new GraphBuilder();
    ValueType type = ValueType.f32(4, 16);
    Value input = builder.variable(new Variable("in", type, Role.INPUT));
    Value x = builder.add(new SplitColumns(List.of(16)), input).get(0);
    Value y = builder.gelu(x);
    Value z = builder.gelu(y);
    builder.output("out", z);
    MemoryPlan plan = MemoryPlan.of(builder.build());
    assertThat(plan.shared(x, z)).isTrue();
    assertThat(plan.totalBytes()).isEqualTo(4 * 16 * 4);
  }

  @Test
  void anOutputThatNobodyReadsDoesNotTakeTheBlockOfAnother() {
    GraphBuilder builder = new GraphBuilder();
    ValueType type = ValueType.f32(4, 16);
    Value input = builder.variable(new Variable("in", type, Role.INPUT));
    Value gate = builder.add(new SplitColumns(List.of(16)), input).get(0);
    Value up = builder.gelu(gate);
    Value dy = builder.gelu(up);
    List<Value> gradients = builder.add(new SwiGluGradient(), gate, up, dy);
    builder.output("out", gradients.get(1));
    MemoryPlan plan = MemoryPlan.of(builder.build());
    assertThat(plan.shared(gradients.get(0), gradients.get(1))).isFalse();
  }

  @Test
  void inputsReadAgainAreNotTakenOver() {
    GraphBuilder builder = new GraphBuilder();
    ValueType type = ValueType.f32(4, 16);
    Value input = builder.variable(new Variable("in", type, Role.INPUT));
    Value x = builder.add(new SplitColumns(List.of(16)), input).get(0);
    Value y = builder.gelu(x);
    builder.output("out", builder.add(x, y));
    assertThat(MemoryPlan.of(builder.build()).shared(x, y)).isFalse();
  }

  @Test
  void readingAfterAnOverwriteIsRefused() {
    GraphBuilder builder = new GraphBuilder();
    Value a = builder.variable(new Variable("a", ValueType.f32(3), Role.STATE));
    Value b = builder.variable(new Variable("b", ValueType.f32(3), Role.INPUT));
    builder.add(new Accumulate(), a, b);
    builder.add(new Add(), a, b);
    assertThatThrownBy(builder::build)
        .isInstanceOf(PlanException.class)
        .hasMessageContaining("after it was overwritten");
  }

  @Test
  void overwritingWhatTheSameNodeReadsIsRefused() {
    GraphBuilder builder = new GraphBuilder();
    Value a = builder.variable(new Variable("a", ValueType.f32(3), Role.STATE));
    builder.add(new Accumulate(), a, a);
    assertThatThrownBy(builder::build).isInstanceOf(PlanException.class);
  }

  @Test
  void parametersLiveInTheirVariable() {
    GraphBuilder builder = new GraphBuilder();
    Param param = new Param("w", Shape.of(3), Demand.whole(), Init.zeros(), true);
    Value w = builder.param(param);
    Value sum = builder.add(new Accumulate(), w, x(builder)).get(0);
    Graph graph = builder.build();
    MemoryPlan plan = MemoryPlan.of(graph);
    assertThat(plan.variableOf(sum)).isEqualTo(param.variable());
    assertThat(builder.variable(param.variable())).isEqualTo(sum);
    for (Node node : graph.nodes()) {
      assertThat(node.op().alias(0)).isNotEqualTo(Op.OWN_MEMORY);
    }
  }

  private static Value x(GraphBuilder builder) {
    return builder.variable(new Variable("x", ValueType.f32(3), Role.INPUT));
  }
}
