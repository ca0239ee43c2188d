package dev.kindling.worker.step;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kindling.kernels.backend.cuda.CudaBytes;
import dev.kindling.kernels.backend.cuda.layout.Element;
import dev.kindling.kernels.backend.cuda.layout.Group;
import dev.kindling.kernels.backend.cuda.layout.GroupRules;
import dev.kindling.kernels.backend.cuda.layout.Layout;
import dev.kindling.kernels.backend.cuda.layout.LayoutCheck;
import dev.kindling.kernels.backend.cuda.layout.Precision;
import dev.kindling.kernels.graph.Graph;
import dev.kindling.kernels.graph.Node;
import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.graph.Role;
import dev.kindling.kernels.graph.Shape;
import dev.kindling.kernels.graph.Variable;
import dev.kindling.kernels.graph.op.ConcatColumns;
import dev.kindling.kernels.graph.op.Fill;
import dev.kindling.kernels.graph.op.LinearWeightGradient;
import dev.kindling.kernels.graph.op.SplitColumns;
import dev.kindling.kernels.graph.op.Subspace;
import dev.kindling.kernels.graph.rewrite.Recompute;
import dev.kindling.optim.rule.AdamW;
import dev.kindling.optim.rule.Apollo;
import dev.kindling.optim.rule.Galore;
import dev.kindling.optim.rule.Granularity;
import dev.kindling.optim.rule.Sgd;
import dev.kindling.optim.rule.UpdateRule;
import dev.kindling.worker.model.Full;
import dev.kindling.worker.model.Gpt2;
import dev.kindling.worker.model.Llama;
import dev.kindling.worker.model.ModelFamily;
import dev.kindling.worker.model.Qwen2;
import dev.kindling.worker.model.Qwen3;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/** Storage and launches of the programs of a step, by model family. */
class StepLayoutTest {
  private static final int LAYERS = 3;
  private static final UpdateRule ADAMW = new AdamW(0.01, 0.9, 0.95, 1e-8, 0.1, 1.0);
  private static final UpdateRule SGD = new Sgd(0.5, 0.9, false, 0, 0);

  private static StepGraphs llama(UpdateRule rule) {
    return graphs(
        new Llama(
            64,
            LAYERS,
            4,
            Optional.of(2),
            Optional.empty(),
            Optional.empty(),
            Optional.of(97),
            64,
            true,
            0.02,
            10000,
            1e-5),
        rule);
  }

  private static StepGraphs gpt2(UpdateRule rule) {
    return graphs(
        new Gpt2(64, LAYERS, 4, Optional.empty(), Optional.of(97), 64, true, 0.02, 1e-5), rule);
  }

  private static StepGraphs qwen2() {
    return graphs(
        new Qwen2(
            64,
            LAYERS,
            4,
            Optional.of(2),
            Optional.empty(),
            Optional.empty(),
            Optional.of(97),
            64,
            true,
            0.02,
            10000,
            Optional.empty(),
            1e-6,
            Optional.of(20)),
        ADAMW);
  }

  private static StepGraphs qwen3() {
    return graphs(
        new Qwen3(
            64,
            LAYERS,
            4,
            Optional.of(2),
            Optional.of(32),
            Optional.empty(),
            Optional.of(97),
            64,
            false,
            0.02,
            10000,
            Optional.empty(),
            1e-6,
            Optional.empty()),
        ADAMW);
  }

  private static List<StepGraphs> families() {
    return List.of(llama(ADAMW), gpt2(ADAMW), qwen2(), qwen3());
  }

  private static StepGraphs graphs(ModelFamily model, UpdateRule rule) {
    return new StepGraphs(model, new Full(), rule, new StepShape(64, 32, true, 4));
  }

  @Test
  void layoutsComputeEveryProgram() {
    for (StepGraphs graphs :
        List.of(llama(ADAMW), gpt2(ADAMW), llama(SGD), gpt2(SGD), qwen2(), qwen3())) {
      List<Graph> programs =
          List.of(
              graphs.accumulate(),
              graphs.finish(),
              graphs.evaluate(),
              graphs.stash(0),
              graphs.stash(2));
      for (Graph graph : programs) {
        for (Precision precision : Precision.values()) {
          LayoutCheck.check(graph, Layout.of(graph, precision, GroupRules.ALL));
          LayoutCheck.check(graph, Layout.of(graph, precision, GroupRules.NONE));
        }
      }
    }
  }

  @Test
  void everyLayerHasFourProductsPerDirection() {
    for (StepGraphs graphs : families()) {
      assertThat(products(graphs.evaluate())).isEqualTo(4 * LAYERS + 1);
      assertThat(products(graphs.accumulate())).isEqualTo(3 * (4 * LAYERS + 1));
      assertThat(products(graphs.finish())).isEqualTo(3 * (4 * LAYERS + 1));
    }
  }

  @Test
  void columnsAreNeverCopied() {
    for (StepGraphs graphs : families()) {
      for (Group group : bf16(graphs.finish()).groups()) {
        assertThat(group.kind() == Group.Kind.NODE && movesColumns(group)).isFalse();
      }
    }
  }

  /** Sketches, moments and movements of all hidden matrices; AdamW of the rest. */
  @Test
  void fourGroupsUpdateAllParametersByApollo() {
    UpdateRule apollo =
        new Apollo(
            0.01,
            0.9,
            0.999,
            1e-6,
            0.1,
            1.0,
            8,
            Optional.empty(),
            200,
            false,
            1.01,
            Granularity.CHANNEL,
            0,
            Optional.empty());
    for (StepGraphs graphs : List.of(llama(apollo), gpt2(apollo).withNarrowGradients())) {
      Graph finish = graphs.finish();
      Layout layout = bf16(finish);
      LayoutCheck.check(finish, layout);
      assertThat(layout.groups().stream().filter(g -> g.kind() == Group.Kind.UPDATE)).hasSize(4);
    }
  }

  /** Bases of matrices of one shape are looked for together. */
  @Test
  void subspacesOfOneShapeShareLaunches() {
    UpdateRule galore =
        new Galore(0.01, 0.9, 0.999, 1e-6, 0, 0, 8, 0.25, 200, 8, 0, Optional.empty());
    for (StepGraphs graphs : List.of(llama(galore), gpt2(galore).withNarrowGradients())) {
      Graph finish = graphs.finish();
      Layout layout = bf16(finish);
      LayoutCheck.check(finish, layout);
      List<Group> subspaces =
          layout.groups().stream()
              .filter(group -> group.nodes().get(0).op() instanceof Subspace)
              .toList();
      List<Shape> shapes =
          finish.params().stream()
              .filter(Param::isWholeHiddenMatrix)
              .map(Param::shape)
              .distinct()
              .toList();
      assertThat(subspaces).hasSameSizeAs(shapes);
      long matrices = finish.params().stream().filter(Param::isWholeHiddenMatrix).count();
      assertThat(subspaces.stream().mapToLong(group -> group.nodes().size()).sum())
          .isEqualTo(matrices)
          .isGreaterThan(shapes.size());
      CudaBytes bytes = CudaBytes.of(finish.variables(), List.of(finish), Precision.BF16, 132);
      assertThat(bytes.scratch()).isPositive();
    }
  }

  @Test
  void oneLaunchUpdatesAllParameters() {
    for (StepGraphs graphs : List.of(llama(ADAMW), gpt2(SGD))) {
      Graph finish = graphs.finish();
      List<Group> updates =
          bf16(finish).groups().stream()
              .filter(group -> group.kind() == Group.Kind.UPDATE)
              .toList();
      assertThat(updates).hasSize(1);
      assertThat(updates.get(0).nodes()).hasSize(finish.params().size());
    }
  }

  @Test
  void copiesAndSumsOfAStashShareLaunches() {
    // Two folds of the lower levels, one copy, one fill.
    assertThat(bf16(llama(ADAMW).stash(2)).groups()).hasSize(4);
  }

  @Test
  void aStepOfOneMicroStepPacksItsProductsAndClearsOnlyTheVotes() {
    for (StepGraphs adding : families()) {
      StepShape one = new StepShape(64, 32, true, 1, 1);
      Graph finish =
          new StepGraphs(adding.model(), adding.projection(), adding.rule(), one).finish();
      for (Precision precision : Precision.values()) {
        LayoutCheck.check(finish, Layout.of(finish, precision, GroupRules.ALL));
      }
      assertThat(products(finish)).isEqualTo(3 * (4 * LAYERS + 1));
      List<Node> fills = finish.nodes().stream().filter(node -> node.op() instanceof Fill).toList();
      assertThat(fills).singleElement().matches(node -> node.inputs().size() == 1);
      assertThat(finish.nodes())
          .noneMatch(
              node -> node.op() instanceof LinearWeightGradient gradient && gradient.accumulate());
    }
  }

  @Test
  void gradientsThatAreWrittenOnceAreNarrowAndTheirProductsStayPacked() {
    StepShape one = new StepShape(64, 32, true, 1, 1);
    for (StepGraphs adding :
        List.of(llama(ADAMW), gpt2(ADAMW), llama(SGD), gpt2(SGD), qwen2(), qwen3())) {
      StepGraphs graphs = adding.with(one).withNarrowGradients();
      Graph finish = graphs.finish();
      for (Precision precision : Precision.values()) {
        LayoutCheck.check(finish, Layout.of(finish, precision, GroupRules.ALL));
        LayoutCheck.check(finish, Layout.of(finish, precision, GroupRules.NONE));
      }
      assertThat(products(finish)).isEqualTo(3 * (4 * LAYERS + 1));
      Layout layout = bf16(finish);
      for (Node node : finish.nodes()) {
        if (isUpdate(node)) {
          boolean matrix = node.input(0).shape().rank() == 2;
          assertThat(layout.stored(node.input(1)).element())
              .as("%s", node)
              .isEqualTo(matrix ? Element.BF16 : Element.F32);
        }
      }
      long updates =
          layout.groups().stream().filter(group -> group.kind() == Group.Kind.UPDATE).count();
      assertThat(updates).isEqualTo(1);
    }
  }

  @Test
  void whatIsAddedToStaysInFp32() {
    StepShape one = new StepShape(256, 32, true, 1, 1);
    StepGraphs narrow = llama(ADAMW).with(one).withNarrowGradients();
    // The table is the head too: each chunk of the loss adds to it.
    String table = "grad/model.embed_tokens.weight";
    String product = "grad/model.layers.0.mlp.up_proj.weight";
    assertThat(fresh(narrow)).contains(table, product).hasSize(1 + 7 * LAYERS);
    assertThat(fresh(narrow.with(new MemorySaving(Recompute.Level.NONE, 2))))
        .contains(product)
        .doesNotContain(table);
    assertThat(fresh(narrow.with(new StepShape(64, 32, true, 1, 2)))).isEmpty();
    assertThat(fresh(narrow.with(new StepShape(64, 32, true, 1)))).isEmpty();
    assertThat(fresh(narrow.with(new StepShape(64, 32, true, 4, 4)))).isEmpty();
    assertThat(fresh(llama(ADAMW).with(one))).isEmpty();
  }

  private static boolean isUpdate(Node node) {
    return node.op() instanceof dev.kindling.kernels.graph.op.AdamW
        || node.op() instanceof dev.kindling.kernels.graph.op.Sgd;
  }

  private static List<String> fresh(StepGraphs graphs) {
    return graphs.finish().variables().stream()
        .filter(variable -> variable.role() == Role.FRESH_GRADIENT)
        .map(Variable::name)
        .toList();
  }

  private static boolean movesColumns(Group group) {
    return group.last().op() instanceof SplitColumns || group.last().op() instanceof ConcatColumns;
  }

  private static Layout bf16(Graph graph) {
    return Layout.of(graph, Precision.BF16, GroupRules.ALL);
  }

  /** Launches that contain a product. */
  private static long products(Graph graph) {
    return bf16(graph).groups().stream()
        .filter(group -> group.nodes().stream().anyMatch(node -> node.flops() > 0))
        .filter(group -> !group.last().op().getClass().getSimpleName().startsWith("Attention"))
        .count();
  }
}
