package dev.kindling.kernels.backend.cuda.layout;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kindling.kernels.graph.Demand;
import dev.kindling.kernels.graph.Graph;
import dev.kindling.kernels.graph.Node;
import dev.kindling.kernels.graph.PlanException;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.op.ConcatColumns;
import dev.kindling.kernels.graph.op.Op;
import dev.kindling.kernels.graph.op.Rope;
import dev.kindling.kernels.graph.op.SplitColumns;
import dev.kindling.kernels.testing.TinyModels;
import java.util.ArrayList;
import java.util.Collections;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class LayoutTest {
  /** Width 16: rows of every piece start on 16 bytes in both precisions. */
  private static final TinyModels MODELS = new TinyModels(16, 8, 16, 40, true);

  /** Width 4: half a head is 4 bytes in bf16, so nothing can be a view. */
  private static final TinyModels NARROW = new TinyModels(8, 4, 4, 7, false);

  private static final GroupRules[] RULES = {
    GroupRules.ALL,
    GroupRules.NONE,
    new GroupRules(true, false, false, false),
    new GroupRules(false, true, false, false),
    new GroupRules(false, false, true, true)
  };

  private static Graph llama() {
    return MODELS.llama(name -> Demand.whole());
  }

  private static Graph gpt2() {
    return MODELS.gpt2(name -> Demand.whole());
  }

  @Test
  void layoutsOfModelsComputeThem() {
    for (TinyModels models : List.of(MODELS, NARROW)) {
      for (Graph graph :
          List.of(
              models.llama(name -> Demand.whole()),
              models.gpt2(name -> Demand.whole()),
              models.llama(LayoutTest::someFrozen))) {
        for (Precision precision : Precision.values()) {
          for (GroupRules rules : RULES) {
            LayoutCheck.check(graph, Layout.of(graph, precision, rules));
          }
        }
      }
    }
  }

  /** -Dseed=N starts elsewhere; a failure names its seed. */
  @Test
  void layoutsOfRandomGraphsComputeThem() {
    long start = Long.getLong("seed", 1L);
    Map<Group.Kind, Integer> seen = new EnumMap<>(Group.Kind.class);
    for (long seed = start; seed < start + 400; seed++) {
      Graph graph = RandomGraphs.of(seed);
      for (GroupRules rules : RULES) {
        Layout layout = Layout.of(graph, Precision.BF16, rules);
        long failing = seed;
        assertThatCode(() -> LayoutCheck.check(graph, layout))
            .as("seed %d%n%s%s", failing, graph, layout)
            .doesNotThrowAnyException();
        kinds(layout).forEach((kind, count) -> seen.merge(kind, count, Integer::sum));
      }
    }
    assertThat(seen)
        .containsKeys(
            Group.Kind.VIEW,
            Group.Kind.LINEAR,
            Group.Kind.LINEAR_INPUT_GRADIENT,
            Group.Kind.LINEAR_WEIGHT_GRADIENT,
            Group.Kind.LINEAR_GELU,
            Group.Kind.LINEAR_INPUT_GRADIENT_GELU);
  }

  private static Demand someFrozen(String name) {
    return name.endsWith("k") || name.endsWith("gate") ? Demand.none() : Demand.whole();
  }

  @Test
  void llamaHasOneProductPerOperandAndDirection() {
    Layout layout = Layout.of(llama(), Precision.BF16, GroupRules.ALL);
    Map<Group.Kind, Integer> kinds = kinds(layout);
    // Two layers, each query-key-value and gate-up.
    assertThat(kinds.get(Group.Kind.LINEAR)).isEqualTo(4);
    assertThat(kinds.get(Group.Kind.LINEAR_WEIGHT_GRADIENT)).isEqualTo(4);
    assertThat(kinds.get(Group.Kind.LINEAR_INPUT_GRADIENT)).isEqualTo(4);
    // Per layer 4 products in 3 directions, and the head in 3.
    assertThat(products(layout)).isEqualTo(2 * 4 * 3 + 3);
  }

  @Test
  void gpt2ExecutesNoSplitAndGeluRidesOnTheProduct() {
    Layout layout = Layout.of(gpt2(), Precision.BF16, GroupRules.ALL);
    Map<Group.Kind, Integer> kinds = kinds(layout);
    assertThat(kinds.get(Group.Kind.VIEW)).isEqualTo(4);
    assertThat(kinds.get(Group.Kind.LINEAR_GELU)).isEqualTo(2);
    assertThat(kinds.get(Group.Kind.LINEAR_INPUT_GRADIENT_GELU)).isEqualTo(2);
    // Both projections of a layer end in the residual stream.
    assertThat(kinds.get(Group.Kind.LAYER_NORM_GRADIENT_BIAS)).isEqualTo(4);
    assertThat(executed(layout, SplitColumns.class)).isZero();
    assertThat(executed(layout, ConcatColumns.class)).isZero();
    assertThat(products(layout)).isEqualTo(2 * 4 * 3 + 3);
  }

  @Test
  void queryKeyAndValueLieSideBySideForwardAndBackward() {
    Layout layout = Layout.of(llama(), Precision.BF16, GroupRules.ALL);
    for (Group group : layout.groups()) {
      if (group.kind() == Group.Kind.LINEAR && group.nodes().size() == 3) {
        List<Stored> stored =
            group.nodes().stream().map(node -> layout.stored(node.output(0))).toList();
        assertThat(stored.stream().map(Stored::offsetBytes)).containsExactly(0L, 32L, 48L);
        assertThat(stored.stream().map(Stored::rowStride)).containsOnly(32);
        assertThat(stored.stream().map(Stored::root).distinct()).hasSize(1);
      }
      if (group.kind() == Group.Kind.LINEAR_INPUT_GRADIENT && group.nodes().size() == 3) {
        List<Long> columns =
            layout.byColumns(group).stream()
                .map(node -> layout.stored(node.input(0)).offsetBytes())
                .toList();
        assertThat(columns).containsExactly(0L, 32L, 48L);
      }
    }
  }

  @Test
  void ropeRunsInPlace() {
    Layout layout = Layout.of(llama(), Precision.BF16, GroupRules.ALL);
    for (Node node : layout.graph().nodes()) {
      if (node.op() instanceof Rope) {
        assertThat(layout.stored(node.output(0))).isEqualTo(layout.stored(node.input(0)));
      }
    }
  }

  @Test
  void oddLogitsGetPaddedRows() {
    Graph graph = new TinyModels(16, 8, 16, 37, false).gpt2(name -> Demand.whole());
    Layout layout = Layout.of(graph, Precision.BF16, GroupRules.ALL);
    LayoutCheck.check(graph, layout);
    List<Stored> logits = new ArrayList<>();
    for (Node node : graph.nodes()) {
      for (Value output : node.outputs()) {
        if (output.shape().rank() == 2 && output.shape().dim(1) == 37) {
          logits.add(layout.stored(output));
        }
      }
    }
    assertThat(logits).isNotEmpty().allMatch(stored -> stored.rowStride() == 64);
  }

  @Test
  void valuesThatStayInsideAGroupAreNotStored() {
    Layout layout = Layout.of(gpt2(), Precision.BF16, GroupRules.ALL);
    for (Group group : layout.groups()) {
      if (group.kind() == Group.Kind.LINEAR_INPUT_GRADIENT_GELU) {
        Value between = group.nodes().get(0).output(0);
        assertThat(layout.isStored(between)).isFalse();
        assertThatThrownBy(() -> layout.stored(between)).isInstanceOf(PlanException.class);
      }
      if (group.kind() == Group.Kind.LINEAR_GELU) {
        assertThat(layout.isStored(group.nodes().get(0).output(0))).isTrue();
      }
    }
  }

  @Test
  void bf16NeedsLessMemory() {
    for (Graph graph : List.of(llama(), gpt2())) {
      long wide = Layout.of(graph, Precision.FP32, GroupRules.ALL).activationBytes();
      long narrow = Layout.of(graph, Precision.BF16, GroupRules.ALL).activationBytes();
      assertThat(narrow).isLessThan(wide * 3 / 4);
    }
  }

  @Test
  void aShiftedViewIsFound() {
    for (Graph graph : List.of(llama(), gpt2())) {
      Layout right = Layout.of(graph, Precision.BF16, GroupRules.ALL);
      int tried = 0;
      for (Map.Entry<Integer, Stored> entry : right.stored().entrySet()) {
        Stored old = entry.getValue();
        if (old.offsetBytes() > 0) {
          Map<Integer, Stored> stored = new HashMap<>(right.stored());
          stored.put(
              entry.getKey(),
              new Stored(old.element(), old.root(), old.offsetBytes() - 16, old.rowStride()));
          assertBroken(
              graph,
              new Layout(right.graph(), right.precision(), right.groups(), stored, right.memory()));
          tried++;
        }
      }
      assertThat(tried).isPositive();
    }
  }

  @Test
  void swappedGroupsAreFound() {
    Graph graph = llama();
    Layout right = Layout.of(graph, Precision.BF16, GroupRules.NONE);
    List<Group> groups = new ArrayList<>(right.groups());
    Collections.swap(groups, 3, 4);
    assertBroken(
        graph,
        new Layout(right.graph(), right.precision(), groups, right.stored(), right.memory()));
  }

  private static void assertBroken(Graph graph, Layout layout) {
    assertThatThrownBy(() -> LayoutCheck.check(graph, layout)).isInstanceOf(PlanException.class);
  }

  private static Map<Group.Kind, Integer> kinds(Layout layout) {
    Map<Group.Kind, Integer> kinds = new EnumMap<>(Group.Kind.class);
    layout.groups().forEach(group -> kinds.merge(group.kind(), 1, Integer::sum));
    return kinds;
  }

  private static long products(Layout layout) {
    return layout.groups().stream().filter(group -> isProduct(group, group.last().op())).count();
  }

  private static boolean isProduct(Group group, Op op) {
    return op.getClass().getSimpleName().startsWith("Linear")
        || group.kind() == Group.Kind.LINEAR_GELU
        || group.kind() == Group.Kind.LINEAR_INPUT_GRADIENT_GELU;
  }

  private static long executed(Layout layout, Class<? extends Op> op) {
    return layout.groups().stream()
        .filter(group -> group.kind() != Group.Kind.VIEW && op.isInstance(group.last().op()))
        .count();
  }
}
