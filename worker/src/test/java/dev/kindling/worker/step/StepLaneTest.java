package dev.kindling.worker.step;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kindling.kernels.backend.cuda.layout.Group;
import dev.kindling.kernels.backend.cuda.layout.GroupRules;
import dev.kindling.kernels.backend.cuda.layout.Layout;
import dev.kindling.kernels.backend.cuda.layout.LayoutCheck;
import dev.kindling.kernels.backend.cuda.layout.Precision;
import dev.kindling.kernels.backend.cuda.layout.Timetable.Entry;
import dev.kindling.kernels.backend.cuda.layout.Timetable.What;
import dev.kindling.kernels.graph.Graph;
import dev.kindling.kernels.graph.op.AllReduce;
import dev.kindling.kernels.graph.op.EmbeddingGradient;
import dev.kindling.kernels.graph.op.GlobalNorm;
import dev.kindling.kernels.graph.op.Op;
import dev.kindling.kernels.graph.op.ReduceScatter;
import dev.kindling.optim.rule.AdamW;
import dev.kindling.worker.model.Full;
import dev.kindling.worker.model.Gpt2;
import dev.kindling.worker.model.Llama;
import dev.kindling.worker.model.ModelFamily;
import dev.kindling.worker.shard.Sharding;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/** What the communication lane of a step hides behind, for every stage of sharding. */
class StepLaneTest {
  private static final int LAYERS = 4;
  private static final long SMALL_BUCKETS = 1 << 14;

  private static final List<ModelFamily> MODELS =
      List.of(
          new Llama(
              64,
              LAYERS,
              4,
              Optional.of(2),
              Optional.empty(),
              Optional.empty(),
              Optional.of(96),
              64,
              true,
              0.02,
              10000,
              1e-5),
          new Gpt2(64, LAYERS, 4, Optional.empty(), Optional.of(96), 64, true, 0.02, 1e-5));

  private static StepGraphs graphs(ModelFamily model, int stage) {
    return new StepGraphs(
        model,
        new Full(),
        new AdamW(0.01, 0.9, 0.95, 1e-8, 0.1, 1.0),
        new StepShape(64, 32, true, 1),
        new Sharding(stage, 2, SMALL_BUCKETS));
  }

  private static Layout layout(Graph graph) {
    Layout layout = Layout.of(graph, Precision.BF16, GroupRules.ALL);
    LayoutCheck.check(graph, layout);
    return layout;
  }

  private static boolean isProduct(Group group) {
    return group.kind() != Group.Kind.VIEW
        && group.nodes().stream().anyMatch(node -> node.flops() > 0);
  }

  /** Share of the launches with products that run while something is on the lane. */
  private static double covered(Layout layout) {
    int flying = 0;
    int all = 0;
    int under = 0;
    for (Entry entry : layout.timetable().entries()) {
      switch (entry.what()) {
        case ISSUE -> flying = entry.last() + 1;
        case JOIN -> flying = flying == entry.last() + 1 ? 0 : flying;
        case RUN -> {
          boolean product = isProduct(layout.groups().get(entry.first()));
          all += product ? 1 : 0;
          under += product && flying > 0 ? 1 : 0;
        }
      }
    }
    return (double) under / all;
  }

  @Test
  void allProgramsOfAllStagesHoldTheirMemoryWhileTheLaneRuns() {
    for (ModelFamily model : MODELS) {
      for (int stage = 0; stage <= 3; stage++) {
        StepGraphs graphs = graphs(model, stage);
        for (Graph graph :
            List.of(graphs.accumulate(), graphs.finish(), graphs.evaluate(), graphs.spread())) {
          layout(graph);
        }
      }
    }
  }

  @Test
  void replicatedGradientsAreReducedWhileBackwardRuns() {
    for (ModelFamily model : MODELS) {
      Layout layout = layout(graphs(model, 0).finish());
      List<Entry> entries = layout.timetable().entries();
      List<Entry> joins = entries.stream().filter(entry -> entry.what() == What.JOIN).toList();
      assertThat(joins).hasSize(1);
      Entry next = entries.get(entries.indexOf(joins.get(0)) + 1);
      assertThat(layout.groups().get(next.first()).last().op()).isInstanceOf(GlobalNorm.class);
      assertThat(entries.stream().filter(entry -> entry.what() == What.ISSUE).count())
          .isGreaterThan(LAYERS);
      assertThat(covered(layout)).isGreaterThan(0.4);
    }
  }

  @Test
  void theTableOfTheFirstLayerTravelsBesideProductsAndOnlyTheirGradientsTravelAlone() {
    Optional<Integer> none = Optional.empty();
    Optional<Integer> many = Optional.of(40_000);
    ModelFamily llama =
        new Llama(64, LAYERS, 4, none, none, none, many, 64, false, 0.02, 10000, 1e-5);
    ModelFamily gpt2 = new Gpt2(64, LAYERS, 4, none, many, 64, true, 0.02, 1e-5);
    for (ModelFamily model : List.of(llama, gpt2)) {
      for (int stage = 0; stage <= 1; stage++) {
        Layout layout = layout(graphs(model, stage).finish());
        List<Entry> entries = layout.timetable().entries();
        int table = -1;
        int last = -1;
        for (int i = 0; i < entries.size(); i++) {
          Entry entry = entries.get(i);
          if (entry.what() == What.RUN && makesTable(layout.groups().get(entry.first()))) {
            table = i;
          }
          if (entry.what() == What.ISSUE && reduces(layout.groups().get(entry.first()))) {
            last = i;
          }
        }
        assertThat(entries.get(table + 1).what()).isEqualTo(What.ISSUE);
        assertThat(entries.subList(table + 2, last).stream().map(Entry::what))
            .as("stage %d of %s", stage, model)
            .contains(What.RUN)
            .doesNotContain(What.JOIN);
        assertThat(entries.subList(table + 2, last).stream())
            .filteredOn(entry -> entry.what() == What.RUN)
            .allMatch(entry -> isProduct(layout.groups().get(entry.first())));
      }
    }
  }

  private static boolean makesTable(Group group) {
    return group.nodes().stream().anyMatch(node -> node.op() instanceof EmbeddingGradient);
  }

  private static boolean reduces(Group group) {
    Op op = group.last().op();
    return op instanceof AllReduce || op instanceof ReduceScatter;
  }

  @Test
  void shardedStagesHideBehindProductsToo() {
    for (ModelFamily model : MODELS) {
      for (int stage = 1; stage <= 3; stage++) {
        assertThat(covered(layout(graphs(model, stage).finish())))
            .as("stage %d of %s", stage, model)
            .isGreaterThan(stage == 1 ? 0.4 : 0.2);
      }
    }
  }
}
