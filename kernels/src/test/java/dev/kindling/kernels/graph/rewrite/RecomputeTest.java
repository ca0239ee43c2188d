package dev.kindling.kernels.graph.rewrite;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kindling.kernels.backend.MatmulKind;
import dev.kindling.kernels.backend.cuda.layout.Group;
import dev.kindling.kernels.backend.cuda.layout.GroupRules;
import dev.kindling.kernels.backend.cuda.layout.Layout;
import dev.kindling.kernels.backend.cuda.layout.LayoutCheck;
import dev.kindling.kernels.backend.cuda.layout.Precision;
import dev.kindling.kernels.graph.Demand;
import dev.kindling.kernels.graph.Graph;
import dev.kindling.kernels.graph.GraphBuilder;
import dev.kindling.kernels.graph.Node;
import dev.kindling.kernels.graph.Role;
import dev.kindling.kernels.graph.ValueType;
import dev.kindling.kernels.graph.Variable;
import dev.kindling.kernels.graph.op.Attention;
import dev.kindling.kernels.graph.op.GatherColumns;
import dev.kindling.kernels.graph.op.Gelu;
import dev.kindling.kernels.graph.op.Linear;
import dev.kindling.kernels.graph.op.Op;
import dev.kindling.kernels.graph.op.ResidualRmsNorm;
import dev.kindling.kernels.graph.op.RmsNorm;
import dev.kindling.kernels.graph.op.SwiGlu;
import dev.kindling.kernels.graph.rewrite.Recompute.Level;
import dev.kindling.kernels.memory.MemoryPlan;
import dev.kindling.kernels.testing.CpuRun;
import dev.kindling.kernels.testing.Rewritten;
import dev.kindling.kernels.testing.TinyModels;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class RecomputeTest {
  private static final TinyModels MODELS = new TinyModels(64, 32, 16, 40, true);

  private static List<Graph> graphs() {
    return List.of(
        MODELS.llama(name -> Demand.whole()),
        MODELS.gpt2(name -> Demand.whole()),
        MODELS.llama(name -> name.endsWith("k") ? Demand.none() : Demand.whole()),
        MODELS.llama(name -> name.endsWith("gate") ? Demand.columns(3, 1) : Demand.whole()));
  }

  @ParameterizedTest
  @EnumSource(Level.class)
  void everyVariableKeepsItsBitsOnTheCpu(Level level) {
    for (Graph graph : graphs()) {
      for (MatmulKind kind : MatmulKind.values()) {
        Map<String, double[]> given = MODELS.contents(graph, 7);
        Map<String, double[]> expected = CpuRun.run(graph, given, 1, kind);
        Map<String, double[]> found =
            CpuRun.run(Rewritten.of(graph, new Recompute(level)), given, 1, kind);
        assertThat(found.keySet()).isEqualTo(expected.keySet());
        expected.forEach(
            (name, content) ->
                assertThat(found.get(name)).as("%s with %s", name, kind).isEqualTo(content));
      }
    }
  }

  @ParameterizedTest
  @EnumSource(Level.class)
  void layoutsComputeTheRewrittenGraph(Level level) {
    for (Graph graph : graphs()) {
      Graph rewritten = Rewritten.of(graph, new Recompute(level));
      for (Precision precision : Precision.values()) {
        LayoutCheck.check(rewritten, Layout.of(rewritten, precision, GroupRules.ALL));
        LayoutCheck.check(rewritten, Layout.of(rewritten, precision, GroupRules.NONE));
      }
    }
  }

  @Test
  void aRepeatedSwiGluRidesOnItsGradientAndTheFirstOneDoesNot() {
    Graph graph = MODELS.llama(name -> Demand.whole());
    for (Level level : Level.values()) {
      Graph rewritten = Rewritten.of(graph, new Recompute(level));
      Layout layout = Layout.of(rewritten, Precision.BF16, GroupRules.ALL);
      assertThat(layout.groups().stream().filter(g -> g.kind() == Group.Kind.SWIGLU_GRADIENT))
          .as("%s", level)
          .hasSize(level == Level.NONE ? 0 : 2);
    }
  }

  @Test
  void eachLevelNeedsLessMemoryThanTheOneBefore() {
    // The loss keeps its logits at every level: a small vocabulary shows the rest.
    TinyModels models = new TinyModels(64, 32, 16, 5, true);
    for (Graph graph :
        List.of(models.llama(name -> Demand.whole()), models.gpt2(name -> Demand.whole()))) {
      long[] bytes =
          Arrays.stream(Level.values())
              .map(level -> Rewritten.of(graph, new Recompute(level)))
              .mapToLong(g -> MemoryPlan.of(g).totalBytes())
              .toArray();
      for (int level = 1; level < bytes.length; level++) {
        assertThat(bytes[level]).as("%s", Level.values()[level]).isLessThan(bytes[level - 1]);
      }
    }
  }

  @Test
  void elementsRepeatActivationsAndNormsButNoProductAndNoAttention() {
    Graph graph = MODELS.llama(name -> Demand.whole());
    Graph rewritten = Rewritten.of(graph, new Recompute(Level.ELEMENTS));
    assertThat(count(rewritten, SwiGlu.class)).isEqualTo(4);
    // Of four sums' norms and the first layer's own, the one that the head reads is kept.
    assertThat(count(graph, ResidualRmsNorm.class)).isEqualTo(4);
    assertThat(count(rewritten, ResidualRmsNorm.class)).isEqualTo(4);
    assertThat(count(rewritten, RmsNorm.class)).isEqualTo(1 + 4);
    assertThat(count(rewritten, Linear.class)).isEqualTo(count(graph, Linear.class));
    assertThat(count(rewritten, Attention.class)).isEqualTo(2);
  }

  @Test
  void blocksRepeatAttentionAndEveryProductThatGradientsNeed() {
    Graph graph = MODELS.gpt2(name -> Demand.whole());
    Graph rewritten = Rewritten.of(graph, new Recompute(Level.BLOCKS));
    assertThat(count(rewritten, Attention.class)).isEqualTo(4);
    assertThat(count(rewritten, Gelu.class)).isEqualTo(4);
    // Per layer query-key-value, attention output and the first of the MLP; the second one's
    // output is the kept sum of the next block.
    assertThat(count(rewritten, Linear.class)).isEqualTo(count(graph, Linear.class) + 2 * 3);
  }

  @Test
  void repeatsStandDirectlyBeforeTheFirstGradientThatReadsThem() {
    Graph graph =
        Rewritten.of(MODELS.llama(name -> Demand.whole()), new Recompute(Level.ACTIVATIONS));
    List<Node> repeats =
        graph.nodes().stream().filter(node -> node.op() instanceof SwiGlu).skip(2).toList();
    assertThat(repeats).hasSize(2);
    for (Node repeat : repeats) {
      assertThat(graph.nodes().get(repeat.index() + 1).inputs()).contains(repeat.output(0));
    }
  }

  @Test
  void doesNotFireForAColumnGather() {
    Graph graph =
        MODELS.llama(name -> name.endsWith("down") ? Demand.columns(3, 1) : Demand.none());
    Graph rewritten = Rewritten.of(graph, new Recompute(Level.ACTIVATIONS));
    assertThat(count(graph, GatherColumns.class)).isEqualTo(2);
    assertThat(count(rewritten, SwiGlu.class)).isEqualTo(2);
  }

  @Test
  void doesNotFireWithoutALoss() {
    GraphBuilder builder = new GraphBuilder();
    Variable x = new Variable("x", ValueType.f32(4, 8), Role.INPUT);
    builder.output("y", builder.gelu(builder.variable(x)));
    List<Node> before = builder.nodes();
    builder.rewrite(new Recompute(Level.BLOCKS));
    assertThat(builder.nodes()).isEqualTo(before);
  }

  private static long count(Graph graph, Class<? extends Op> op) {
    return graph.nodes().stream().filter(node -> op.isInstance(node.op())).count();
  }
}
