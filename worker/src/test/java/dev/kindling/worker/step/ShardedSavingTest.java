package dev.kindling.worker.step;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kindling.kernels.backend.cuda.CudaBytes;
import dev.kindling.kernels.backend.cuda.layout.GroupRules;
import dev.kindling.kernels.backend.cuda.layout.Layout;
import dev.kindling.kernels.backend.cuda.layout.LayoutCheck;
import dev.kindling.kernels.backend.cuda.layout.Precision;
import dev.kindling.kernels.graph.Graph;
import dev.kindling.kernels.graph.PlanException;
import dev.kindling.kernels.graph.Role;
import dev.kindling.kernels.graph.op.Collective;
import dev.kindling.kernels.graph.rewrite.Recompute.Level;
import dev.kindling.optim.rule.AdamW;
import dev.kindling.worker.model.Full;
import dev.kindling.worker.model.Gpt2;
import dev.kindling.worker.model.Llama;
import dev.kindling.worker.model.ModelFamily;
import dev.kindling.worker.shard.Sharding;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Steps that save memory and spread their state: the passes of {@link StepGraphs} together. */
class ShardedSavingTest {
  private static final int TOKENS = 512;
  private static final int SEQUENCE = 256;

  private static StepGraphs graphs(ModelFamily model, int stage, MemorySaving saving) {
    return graphs(model, stage, saving, true);
  }

  private static StepGraphs graphs(
      ModelFamily model, int stage, MemorySaving saving, boolean master) {
    AdamW rule = new AdamW(0.01, 0.9, 0.95, 1e-8, 0.1, 1.0, master);
    StepShape shape = new StepShape(TOKENS, SEQUENCE, false, 1, 2, saving);
    return new StepGraphs(model, new Full(), rule, shape, new Sharding(stage, 2));
  }

  private static ModelFamily llama(int layers) {
    return new Llama(
        256,
        layers,
        4,
        Optional.of(2),
        Optional.empty(),
        Optional.empty(),
        Optional.of(1000),
        SEQUENCE,
        true,
        0.02,
        10000,
        1e-5);
  }

  private static ModelFamily gpt2() {
    return new Gpt2(128, 3, 2, Optional.empty(), Optional.of(997), SEQUENCE, true, 0.02, 1e-5);
  }

  private static CudaBytes bytes(StepGraphs graphs) {
    List<Graph> programs = graphs.programs();
    return CudaBytes.of(TrainStep.variables(programs), programs, Precision.BF16, 10);
  }

  private static List<String> collectives(Graph graph) {
    return graph.nodes().stream()
        .filter(node -> node.op() instanceof Collective)
        .map(node -> node.op() + " " + node.inputTypes())
        .toList();
  }

  private static List<MemorySaving> savings() {
    List<MemorySaving> savings = new ArrayList<>();
    for (Level level : Level.values()) {
      savings.add(new MemorySaving(level, 1));
      savings.add(new MemorySaving(level, 3));
    }
    return savings;
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 1, 2, 3})
  void everySavingHasALayoutAndMeetsTheRanksAsOftenAsNone(int stage) {
    for (ModelFamily model : List.of(llama(3), gpt2())) {
      List<Graph> plain = graphs(model, stage, MemorySaving.NONE).programs();
      for (MemorySaving saving : savings()) {
        List<Graph> programs = graphs(model, stage, saving).programs();
        for (int i = 0; i < programs.size(); i++) {
          Graph graph = programs.get(i);
          LayoutCheck.check(graph, Layout.of(graph, Precision.BF16, GroupRules.ALL));
          assertThat(collectives(graph))
              .as("program %d of %s with %s", i, model, saving)
              .containsExactlyInAnyOrderElementsOf(collectives(plain.get(i)));
        }
      }
    }
  }

  @Test
  void eachKindOfSavingCountsBesideTheOther() {
    MemorySaving blocks = new MemorySaving(Level.BLOCKS, 8);
    long before = Long.MAX_VALUE;
    for (int stage = 0; stage < 4; stage++) {
      long plain = bytes(graphs(llama(8), stage, MemorySaving.NONE)).total();
      long saved = bytes(graphs(llama(8), stage, blocks)).total();
      assertThat(saved).as("stage %d", stage).isLessThan(plain).isLessThan(before);
      before = saved;
    }
  }

  /** A repeated product gathers its weight anew: the one of forward has died by then. */
  @Test
  void gatheredWeightsDieLayerByLayerWhereBlocksAreRepeated() {
    MemorySaving blocks = new MemorySaving(Level.BLOCKS, 1);
    long sharded = activations(llama(12), 3, blocks) - activations(llama(4), 3, blocks);
    long whole = activations(llama(12), 0, blocks) - activations(llama(4), 0, blocks);
    long layer = 2 * (llama(2).parameterCount() - llama(1).parameterCount());
    assertThat(sharded - whole).isLessThan(layer);
  }

  private static long activations(ModelFamily model, int stage, MemorySaving saving) {
    return bytes(graphs(model, stage, saving)).activations();
  }

  @Test
  void piecesHaveNoNarrowCopyAndWorkingCopiesAreNarrow() {
    CudaBytes bytes = bytes(graphs(llama(3), 2, new MemorySaving(Level.ELEMENTS, 3)));
    long whole = bytes(graphs(llama(3), 0, MemorySaving.NONE)).variables().get(Role.PARAMETER);
    long pieces = bytes.variables().get(Role.SHARD);
    assertThat(bytes.variables().get(Role.PARAMETER) + 2 * pieces).isEqualTo(whole);
    assertThat(bytes.variables().get(Role.WORKING)).isEqualTo(pieces);
    assertThat(bytes.copies()).isEqualTo(bytes.variables().get(Role.PARAMETER) / 2);
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 3})
  void piecesWithoutMastersAreRefused(int stage) {
    StepGraphs graphs = graphs(llama(1), stage, MemorySaving.NONE, false);
    assertThatThrownBy(graphs::finish)
        .isInstanceOf(PlanException.class)
        .hasMessageContaining("optimizer.master: expected true where ranks keep pieces")
        .hasMessageContaining("embed_tokens");
    graphs(llama(1), 0, MemorySaving.NONE, false).finish();
  }
}
