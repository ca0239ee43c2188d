package dev.kindling.worker.plan;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kindling.configs.yaml.ConfigDocument;
import dev.kindling.optim.outer.Clip;
import dev.kindling.optim.outer.Co2;
import dev.kindling.optim.outer.Corrected;
import dev.kindling.optim.outer.Diloco;
import dev.kindling.optim.outer.EagerDiloco;
import dev.kindling.optim.outer.EveryStep;
import dev.kindling.optim.outer.FirstRound;
import dev.kindling.optim.outer.LocalSgd;
import dev.kindling.optim.outer.Penalty;
import dev.kindling.optim.outer.Slowmo;
import dev.kindling.optim.outer.Sync;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** What a configuration with {@code sync} may say. */
class SyncConditionsTest {
  private static final String PLAN =
      """
      model: {type: llama, width: 32, layers: 2, heads: 4, context: 32}
      data: {type: prepared, path: none}
      optimizer: {type: adamw, lr: 1e-3}
      sync: {type: co2, tau: 8, alpha: 0.7}
      guard: {spike_z: 0}
      checkpoint: {every_steps: 80}
      validation: {every_steps: 80}
      steps: 800
      ranks: 2
      global_batch: 64
      micro_batch: 32
      sequence_length: 32
      """;

  private static TrainPlan plan(String... sets) {
    return PlanReader.read(ConfigDocument.parse(PLAN, "sync.yaml"), List.of(sets)).value();
  }

  private static void refuses(String set, String message) {
    assertThatThrownBy(() -> plan(set)).as(set).hasMessageContaining(message);
  }

  @Test
  void everyMethodHasItsWordAndComesBackFromTheResolvedFile() {
    Map<String, Sync> words =
        Map.of(
            "{type: every_step}",
            new EveryStep(),
            "{type: local_sgd, tau: 8}",
            new LocalSgd(8),
            "{type: slowmo, tau: 8, beta: 0.4}",
            new Slowmo(8, 1, 0.4),
            "{type: diloco}",
            new Diloco(500, 0.7, 0.9, true),
            "{type: eager_diloco, alpha: 0.4}",
            new EagerDiloco(500, 0.4, 0.9, true),
            "{type: corrected, nesterov: false}",
            new Corrected(48, 0.6, 0.9, false),
            "{type: co2, tau: 12, penalty: ratio_norm, clip: 0.5, first: reset}",
            new Co2(12, 1, 0.2, 1, Penalty.RATIO_NORM, 1, 0.5, Clip.STORED, FirstRound.RESET));
    words.forEach(
        (word, sync) -> {
          TrainPlan plan = plan("sync=" + word);
          assertThat(plan.sync()).isEqualTo(sync);
          assertThat(PlanReader.fromYaml(PlanReader.toYaml(plan))).isEqualTo(plan);
        });
  }

  @Test
  void whatReplicasCannotFollowIsRefusedByKey() {
    refuses("sync.tau=0", "sync.tau: expected 1 or more, found 0");
    refuses("determinism=exact", "determinism: expected replay with sync co2");
    refuses("device=cuda", "device: expected cpu with sync co2");
    refuses("mesh.zero=1", "mesh.zero: expected 0 with sync co2");
    refuses("optimizer.master=false", "optimizer.master: expected true with sync co2");
    refuses(
        "optimizer={type: apollo, lr: 1e-3, weights: int8}",
        "optimizer.weights: expected fp32 with sync co2");
    refuses("optimizer={type: mezo, lr: 1e-6}", "sync.type: expected every_step");
    refuses("recovery.min_ranks=1", "recovery.min_ranks: expected ranks 2");
    refuses("memory.gradients=layerwise", "memory.gradients: expected auto or fp32 with sync co2");
  }

  @Test
  void aBatchIsTheSameOnAllRanks() {
    refuses("global_batch=96", "global_batch: expected a multiple of ranks * micro_batch");
  }

  @Test
  void warnsOfWhatMayNotBeMeant() {
    assertThat(plan().warnings()).isEmpty();
    assertThat(plan("sync={type: every_step}", "guard.spike_z=6", "ranks=1").warnings()).isEmpty();
    assertThat(plan("sync.alpha=1").warnings())
        .singleElement()
        .asString()
        .startsWith("sync.alpha: expected below 0.8000 for beta 0.2");
    assertThat(plan("ranks=1").warnings())
        .containsExactly("sync: of one rank an outer step averages nothing");
    assertThat(plan("checkpoint.every_steps=100").warnings())
        .containsExactly(
            "checkpoint.every_steps: 100 is no multiple of sync.tau 8: what falls inside a round"
                + " happens at its end");
    assertThat(plan("guard.spike_z=6").warnings()).singleElement().asString().contains("spike");
    assertThat(plan("steps=4").warnings()).anyMatch(text -> text.contains("one short round"));
  }
}
