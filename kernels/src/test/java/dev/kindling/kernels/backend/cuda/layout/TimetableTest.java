package dev.kindling.kernels.backend.cuda.layout;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kindling.kernels.autodiff.Autodiff;
import dev.kindling.kernels.backend.cuda.layout.Timetable.Entry;
import dev.kindling.kernels.backend.cuda.layout.Timetable.What;
import dev.kindling.kernels.graph.Axis;
import dev.kindling.kernels.graph.DType;
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
import dev.kindling.kernels.graph.op.AllGather;
import dev.kindling.kernels.graph.op.AllReduce;
import dev.kindling.kernels.graph.op.AllToAll;
import dev.kindling.kernels.graph.op.Collective;
import dev.kindling.kernels.graph.op.Gelu;
import dev.kindling.kernels.graph.op.GlobalNorm;
import dev.kindling.kernels.graph.op.LinearWeightGradient;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class TimetableTest {
  private static final int LAYERS = 3;

  private final GraphBuilder builder = new GraphBuilder();

  private Value variable(String name, Role role) {
    return builder.variable(new Variable(name, ValueType.f32(4, 16), role));
  }

  /** Three products with a GELU between them, one all-reduce per weight gradient, then the norm. */
  private Graph steps() {
    Value x = builder.gelu(variable("in", Role.INPUT));
    for (int layer = 0; layer < LAYERS; layer++) {
      Param weight = new Param("w" + layer, Shape.of(16, 16), Demand.whole(), Init.zeros(), true);
      x = builder.gelu(builder.linear(x, builder.param(weight)));
    }
    Value targets = builder.input("targets", Shape.of(4), DType.I32);
    Map<Param, Value> gradients =
        Autodiff.gradients(builder, builder.crossEntropy(x, targets).lossSum());
    List<Value> sums = new ArrayList<>();
    for (Value gradient : gradients.values()) {
      sums.addAll(builder.add(new AllReduce(Axis.DATA), gradient));
    }
    sums.add(builder.variable(new Variable("tokens", ValueType.f32(1), Role.GRADIENT)));
    builder.output("norm", builder.add(new GlobalNorm(), sums.toArray(Value[]::new)).get(0));
    return builder.build();
  }

  private static List<Entry> entries(Layout layout, What what) {
    return layout.timetable().entries().stream().filter(entry -> entry.what() == what).toList();
  }

  private static int indexOf(Layout layout, Class<?> op, int nth) {
    int seen = 0;
    for (int i = 0; i < layout.groups().size(); i++) {
      if (op.isInstance(layout.groups().get(i).last().op()) && seen++ == nth) {
        return i;
      }
    }
    throw new AssertionError("no " + op + " number " + nth + " in " + layout);
  }

  @Test
  void aGradientIsReducedRightBehindTheProductThatCompletesIt() {
    Graph graph = steps();
    Layout layout = Layout.of(graph, Precision.BF16, GroupRules.ALL);
    LayoutCheck.check(graph, layout);
    for (int i = 0; i < LAYERS; i++) {
      int product = indexOf(layout, LinearWeightGradient.class, i);
      assertThat(indexOf(layout, AllReduce.class, i)).isEqualTo(product + 1);
    }
    // Backward runs from the last layer to the first, so its gradient travels first.
    Node first = layout.groups().get(indexOf(layout, AllReduce.class, 0)).last();
    assertThat(layout.variableOf(first.input(0)))
        .isNotNull()
        .extracting(Variable::name)
        .isEqualTo("grad/w" + (LAYERS - 1));
  }

  @Test
  void theMainStreamWaitsOnceForAllGradientsBeforeTheNorm() {
    Layout layout = Layout.of(steps(), Precision.BF16, GroupRules.ALL);
    int lastIssue = indexOf(layout, AllReduce.class, LAYERS - 1);
    assertThat(entries(layout, What.ISSUE)).hasSize(LAYERS);
    assertThat(entries(layout, What.JOIN))
        .containsExactly(new Entry(What.JOIN, lastIssue, lastIssue));
    List<Entry> all = layout.timetable().entries();
    int at = indexOf(layout, GlobalNorm.class, 0);
    int norm = all.indexOf(new Entry(What.RUN, at, at));
    assertThat(all.get(norm - 1)).isEqualTo(new Entry(What.JOIN, lastIssue, lastIssue));
  }

  @Test
  void aGatherOfWhatAVariableHoldsStaysWhereItsSentencePutIt() {
    Value shard = variable("shard", Role.PARAMETER);
    Value x = builder.gelu(builder.gelu(variable("in", Role.INPUT)));
    Value whole = builder.add(new AllGather(Axis.SHARD, 2, false), shard).get(0);
    builder.output("x", x);
    builder.output("y", builder.gelu(whole));
    Layout layout = Layout.of(builder.build(), Precision.FP32, GroupRules.ALL);
    assertThat(indexOf(layout, AllGather.class, 0)).isEqualTo(indexOf(layout, Gelu.class, 1) + 1);
  }

  @Test
  void independentNeighboursOfOneAxisStartTogether() {
    Value in = variable("in", Role.INPUT);
    Value a = variable("a", Role.GRADIENT);
    Value b = variable("b", Role.GRADIENT);
    Value c = variable("c", Role.GRADIENT);
    builder.output("x", builder.gelu(in));
    builder.add(new AllReduce(Axis.DATA), a);
    Value again = builder.add(new AllReduce(Axis.DATA), b).get(0);
    builder.add(new AllReduce(Axis.DATA), again);
    builder.add(new AllReduce(Axis.SHARD), c);
    Graph graph = builder.build();
    Layout layout = Layout.of(graph, Precision.FP32, GroupRules.ALL);
    LayoutCheck.check(graph, layout);
    int first = indexOf(layout, AllReduce.class, 0);
    assertThat(entries(layout, What.ISSUE))
        .containsExactly(
            new Entry(What.ISSUE, first, first + 1),
            new Entry(What.ISSUE, first + 2, first + 2),
            new Entry(What.ISSUE, first + 3, first + 3));
    assertThat(entries(layout, What.JOIN))
        .containsExactly(new Entry(What.JOIN, first + 3, first + 3));
  }

  @Test
  void memoryOfACollectiveIsNobodyElsesUntilItIsWaitedFor() {
    Value in = variable("in", Role.INPUT);
    Value sum = builder.add(new AllReduce(Axis.DATA, false), builder.gelu(in)).get(0);
    Value other = in;
    for (int i = 0; i < 4; i++) {
      other = builder.gelu(other);
    }
    builder.output("other", other);
    builder.output("sum", sum);
    Graph graph = builder.build();
    Layout layout = Layout.of(graph, Precision.FP32, GroupRules.NONE);
    LayoutCheck.check(graph, layout);
    int issue = indexOf(layout, AllReduce.class, 0);
    assertThat(issue).isEqualTo(1);
    int join = layout.timetable().entries().indexOf(new Entry(What.JOIN, issue, issue));
    assertThat(join).isGreaterThan(issue + 4);
    Region read = Region.of(layout, layout.groups().get(issue).last().input(0));
    for (Group group : layout.groups().subList(issue + 1, issue + 5)) {
      assertThat(Region.of(layout, group.last().output(0)).overlaps(read)).isFalse();
    }
  }

  /** What a plan that forgets the lane does: the input dies with its collective. */
  @Test
  void memoryGivenAwayWhileACollectiveIsUnderWayIsFound() {
    Value in = variable("in", Role.INPUT);
    Value sum = builder.add(new AllToAll(Axis.DATA, 2), builder.gelu(in)).get(0);
    Value other = builder.gelu(in);
    builder.output("other", other);
    builder.output("sum", sum);
    Graph graph = builder.build();
    Layout right = Layout.of(graph, Precision.FP32, GroupRules.NONE);
    LayoutCheck.check(graph, right);
    Layout wrong =
        new Layout(
            right.graph(),
            right.precision(),
            right.groups(),
            right.stored(),
            dev.kindling.kernels.memory.MemoryPlan.of(right.graph()));
    assertThatThrownBy(() -> LayoutCheck.check(graph, wrong))
        .isInstanceOf(PlanException.class)
        .hasMessageContaining("still holds");
  }

  @Test
  void ranksWithEqualGraphsMeetInTheSameOrder() {
    for (long seed = 1; seed <= 50; seed++) {
      Graph graph = RandomGraphs.of(seed);
      List<String> one = collectives(Layout.of(graph, Precision.BF16, GroupRules.ALL));
      List<String> other =
          collectives(Layout.of(RandomGraphs.of(seed), Precision.BF16, GroupRules.ALL));
      assertThat(one).isEqualTo(other);
      assertThat(one).hasSize((int) graph.nodes().stream().filter(this::isCollective).count());
    }
  }

  private boolean isCollective(Node node) {
    return node.op() instanceof Collective;
  }

  private static List<String> collectives(Layout layout) {
    return entries(layout, What.ISSUE).stream()
        .flatMap(entry -> layout.groups().subList(entry.first(), entry.last() + 1).stream())
        .map(Group::toString)
        .toList();
  }

  @Test
  void everyCollectiveOfRandomGraphsIsIssuedOnceAndWaitedFor() {
    int joins = 0;
    for (long seed = 1; seed <= 100; seed++) {
      Graph graph = RandomGraphs.of(seed);
      Layout layout = Layout.of(graph, Precision.BF16, GroupRules.ALL);
      assertThatCode(() -> LayoutCheck.check(graph, layout))
          .as("seed %d%n%s", seed, layout)
          .doesNotThrowAnyException();
      joins += entries(layout, What.JOIN).size();
    }
    assertThat(joins).isPositive();
  }
}
