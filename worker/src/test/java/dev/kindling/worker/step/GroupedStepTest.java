package dev.kindling.worker.step;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kindling.comm.loopback.LoopbackCommunicator;
import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.graph.PlanException;
import dev.kindling.optim.rule.AdamW;
import dev.kindling.optim.rule.Group;
import dev.kindling.optim.rule.Groups;
import dev.kindling.optim.rule.Muon;
import dev.kindling.optim.rule.MuonScale;
import dev.kindling.optim.rule.Optimizer;
import dev.kindling.optim.rule.Sgd;
import dev.kindling.worker.adapt.Lora;
import dev.kindling.worker.shard.Sharding;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
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

  /** Adapters freeze what a pattern for whole models names. */
  @Test
  void aPatternOfFrozenParametersIsRefusedAndOneOfAdaptersMovesThem() {
    Muon muon = new Muon(0.02, 0.95, true, 5, MuonScale.ORIGINAL, 0, 1.0, Optional.of(ADAMW));
    assertThatThrownBy(lora(new Groups(muon, List.of(new Group("*q_proj.weight", SGD))))::programs)
        .isInstanceOf(PlanException.class)
        .hasMessageContaining("\"*q_proj.weight\" matches none; nearest: model.")
        .hasMessageContaining("lora_");
    StepGraphs graphs = lora(new Groups(muon, List.of(new Group("*lora_B.weight", SGD))));
    try (StepRank rank = new StepRank(graphs, LoopbackCommunicator.create(1).get(0))) {
      rank.program().dryRun();
      rank.fill();
      assertThat(rank.step(0, 8, false).skipped()).isFalse();
      assertThat(rank.program().state().stream().map(held -> held.name()))
          .allMatch(name -> name.endsWith("lora_A.weight") || name.startsWith("state/momentum/"))
          .contains("state/momentum/model.layers.0.self_attn.q_proj.lora_B.weight")
          .noneMatch(name -> name.endsWith("q_proj.weight"));
    }
  }

  private static StepGraphs lora(Optimizer optimizer) {
    StepGraphs whole = StepRank.graphs(16, optimizer, 4, 1);
    Lora lora =
        new Lora(
            2,
            4,
            false,
            0,
            List.of("all-linear"),
            List.of(),
            Map.of(),
            Map.of(),
            List.of(),
            Optional.empty());
    return new StepGraphs(
        whole.model(), lora.projection(whole.model(), StepRank.SEED), optimizer, whole.shape());
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
