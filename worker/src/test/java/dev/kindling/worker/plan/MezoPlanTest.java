package dev.kindling.worker.plan;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kindling.configs.yaml.ConfigDocument;
import dev.kindling.optim.rule.Mezo;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;

/** What a configuration with {@code optimizer: mezo} may say. */
class MezoPlanTest {
  private static final String PLAN =
      """
      model: {type: llama, width: 32, layers: 2, heads: 4, context: 32}
      data: {type: prepared, path: none}
      optimizer: {type: mezo, lr: 1e-6, sparsity: 0.75}
      steps: 10
      global_batch: 64
      micro_batch: 32
      sequence_length: 32
      """;

  private static TrainPlan plan(String... sets) {
    return PlanReader.read(ConfigDocument.parse(PLAN, "mezo.yaml"), List.of(sets)).value();
  }

  @Test
  void itsKeysAreThoseOfTheRecordAndComeBackFromTheResolvedFile() {
    TrainPlan plan = plan();
    assertThat(plan.optimizer()).isEqualTo(new Mezo(1e-6, 1e-3, 1, 0, 0.75, false));
    assertThat(PlanReader.fromYaml(PlanReader.toYaml(plan))).isEqualTo(plan);
    assertThat(plan.gradientLife()).isEqualTo(GradientLife.SUMS);
    assertThat(plan("determinism=exact", "logical_shards=2").optimizer())
        .isEqualTo(plan.optimizer());
  }

  @Test
  void whatNeedsABackwardPassIsRefusedByKey() {
    assertThatThrownBy(() -> plan("mesh.zero=2", "ranks=2"))
        .hasMessageContaining("mesh.zero: expected 0 with optimizer mezo");
    assertThatThrownBy(() -> plan("memory.recompute=blocks"))
        .hasMessageContaining("memory.recompute: expected auto or none with optimizer mezo");
    assertThatThrownBy(() -> plan("memory.gradients=bf16", "device=cuda"))
        .hasMessageContaining("memory.gradients: expected auto or fp32 with optimizer mezo");
    assertThat(plan("memory.weights=host").memory().weights()).isEqualTo(WeightPlace.HOST);
    assertThatThrownBy(() -> plan("memory.weights=host", "optimizer.master=true"))
        .hasMessageContaining("memory.weights: expected device without optimizer mezo and its");
    assertThatThrownBy(() -> plan("memory.weights=host", "optimizer={type: adamw, lr: 0.1}"))
        .hasMessageContaining("memory.weights: expected device without optimizer mezo");
    assertThatThrownBy(() -> plan("optimizer.clip_norm=1.0"))
        .hasMessageContaining("optimizer.clip_norm");
  }

  /** Ranks and later attempts have working folders of their own. */
  @Test
  void questionsOfAnObjectiveAreFoundFromAnyFolder() {
    for (String type : List.of("accuracy", "f1", "exact_match")) {
      String objective = "{type: " + type + ", questions: some/asked.jsonl, batch: 3}";
      TrainPlan plan = plan("optimizer={type: mezo, lr: 1, eps: 2, objective: " + objective + "}");
      Mezo given = (Mezo) plan.optimizer();
      String expected = Path.of("some/asked.jsonl").toAbsolutePath().toString();
      Mezo found = (Mezo) plan.absolute().optimizer();
      assertThat(found.objective().file()).contains(expected);
      assertThat(found).isEqualTo(given.withFile(file -> expected));
      assertThat(found.objective().batch()).isEqualTo(3);
      assertThat(found.objective().tokens()).isEqualTo(given.objective().tokens());
      assertThat(plan.absolute().absolute()).isEqualTo(plan.absolute());
    }
    assertThat(plan().absolute().optimizer()).isEqualTo(plan().optimizer());
  }

  @Test
  void adaptersWithoutDropoutAreTrainedAndOthersRefusedByKey() {
    String all = "optimizer.sparsity=0";
    assertThat(plan(all, "adapter.type=lora", "adapter.rank=4").adapter().dropout()).isEqualTo(0);
    assertThat(plan(all, "adapter.type=dora").adapter().dropout()).isEqualTo(0);
    for (String type : List.of("lora", "dora")) {
      assertThatThrownBy(() -> plan("adapter.type=" + type, "adapter.dropout=0.1"))
          .hasMessageContaining("adapter.dropout: expected 0 with optimizer mezo")
          .hasMessageContaining("found 0.1");
    }
    assertThatThrownBy(() -> plan("adapter.type=paca", "adapter.rank=4"))
        .hasMessageContaining("adapter.type: expected any but paca with optimizer");
  }

  /** Of zeros the threshold is zero: all move in step 1, and none that moved ever again. */
  @Test
  void masksOfFactorsThatBeginAtZeroAreRefused() {
    for (String type : List.of("lora", "dora")) {
      assertThatThrownBy(() -> plan("adapter.type=" + type))
          .hasMessageContaining("optimizer.sparsity: expected 0 with a fresh adapter")
          .hasMessageContaining("found 0.75");
      assertThat(plan("adapter={type: " + type + ", path: trained}").adapter().beginsAtZero())
          .isFalse();
    }
    for (String adapter :
        List.of("{type: mask_lora}", "{type: perp, rank: 4}", "{type: perp, head_rank: 4}")) {
      assertThatThrownBy(() -> plan("adapter=" + adapter))
          .as(adapter)
          .hasMessageContaining("optimizer.sparsity: expected 0 with a fresh adapter");
    }
    assertThat(plan("adapter.type=perp").adapter().beginsAtZero()).isFalse();
    assertThat(plan("adapter={type: frozen, modules_to_save: [q_proj]}").optimizer())
        .isEqualTo(plan().optimizer());
  }
}
