package dev.kindling.worker.step;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kindling.comm.loopback.LoopbackCommunicator;
import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.graph.PlanException;
import dev.kindling.optim.rule.AdamW;
import dev.kindling.optim.rule.Group;
import dev.kindling.optim.rule.Groups;
import dev.kindling.optim.rule.Optimizer;
import dev.kindling.optim.rule.Sgd;
import dev.kindling.worker.shard.Sharding;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** Rules by name in the step of a tiny model. */
class GroupedStepTest {
  private static final AdamW ADAMW = new AdamW(0.01, 0.9, 0.95, 1e-8, 0.1, 1.0);
  private static final Sgd SGD = new Sgd(0.5, 0.9, false, 0, 1.0);

  private static Map<String, float[]> afterOneStep(Optimizer optimizer) {
    StepGraphs graphs = StepRank.graphs(16, optimizer, 4, 1);
    try (StepRank rank = new StepRank(graphs, LoopbackCommunicator.create(1).get(0))) {
      rank.program().dryRun();
      rank.fill();
      rank.step(0, 8, false);
      Map<String, float[]> weights = new HashMap<>();
      for (Param param : rank.program().params()) {
        weights.put(param.name(), rank.program().memory().span(param.name()).toFloats());
      }
      return weights;
    }
  }

  @Test
  void eachGroupMovesAsUnderItsRuleAlone() {
    Optimizer groups = new Groups(ADAMW, List.of(new Group("*embed*|*norm*|lm_head*", SGD)));
    Map<String, float[]> found = afterOneStep(groups);
    Map<String, float[]> adam = afterOneStep(ADAMW);
    Map<String, float[]> sgd = afterOneStep(SGD);
    List<String> moved = new ArrayList<>();
    found.forEach(
        (name, weights) -> {
          boolean grouped =
              name.contains("embed") || name.contains("norm") || name.contains("lm_head");
          assertThat(weights).as(name).isEqualTo((grouped ? sgd : adam).get(name));
          if (grouped) {
            moved.add(name);
          }
        });
    assertThat(moved).hasSize(5);
    assertThat(adam.get("lm_head.weight")).isNotEqualTo(sgd.get("lm_head.weight"));
  }

  /** A dry run has no gradient to notice it by: the programs cannot even be written. */
  @Test
  void aPatternThatMatchesNothingIsRefusedBeforeAnyProgramIsCompiled() {
    StepGraphs graphs =
        StepRank.graphs(
            1, new Groups(ADAMW, List.of(new Group("*lm_hed*", SGD))), 4, 1, Sharding.none());
    assertThatThrownBy(graphs::programs)
        .isInstanceOf(PlanException.class)
        .hasMessageStartingWith("optimizer.groups.0.match: expected a pattern of trained")
        .hasMessageContaining("\"*lm_hed*\" matches none; nearest: model.");
  }

  @Test
  void stateBelongsToTheRuleOfTheParameter() {
    StepGraphs graphs =
        StepRank.graphs(16, new Groups(ADAMW, List.of(new Group("*embed*", SGD))), 4, 1);
    try (StepRank rank = new StepRank(graphs, LoopbackCommunicator.create(1).get(0))) {
      assertThat(rank.program().state().stream().map(held -> held.name()))
          .contains("state/momentum/model.embed_tokens.weight", "state/m/lm_head.weight")
          .doesNotContain("state/m/model.embed_tokens.weight");
    }
  }
}
