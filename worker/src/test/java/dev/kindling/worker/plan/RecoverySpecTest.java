package dev.kindling.worker.plan;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.time.Duration;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class RecoverySpecTest {
  private static TrainPlan plan(String more) {
    return PlanReader.fromYaml(
        """
        model: {type: llama, width: 32, layers: 1, heads: 2, context: 64}
        data: {type: text, paths: [corpus.txt]}
        optimizer: {type: adamw, lr: 3e-3}
        steps: 10
        sequence_length: 64
        micro_batch: 64
        global_batch: 512
        ranks: 4
        """
            + more);
  }

  @Test
  void defaultsArePinned() {
    assertThat(plan("").recovery())
        .isEqualTo(new RecoverySpec(Duration.ofSeconds(60), Optional.empty(), 2));
  }

  @Test
  void fewerRanksAreTheMostThatDivideTheBatch() {
    assertThat(plan("recovery: {min_ranks: 1}").onAtMost(3).orElseThrow().ranks()).isEqualTo(2);
    assertThat(plan("recovery: {min_ranks: 1}").onAtMost(1).orElseThrow().ranks()).isEqualTo(1);
    assertThat(plan("recovery: {min_ranks: 3}").onAtMost(3)).isEmpty();
    assertThat(plan("recovery: {min_ranks: 1}").onAtMost(0)).isEmpty();
  }

  @Test
  void withoutMinRanksOnlyExactModeGoesOnWithFewer() {
    assertThat(plan("").onAtMost(3)).isEmpty();
    TrainPlan exact = plan("determinism: exact").onAtMost(3).orElseThrow();
    assertThat(exact.ranks()).isEqualTo(2);
    assertThat(exact.globalBatch()).isEqualTo(512);
  }

  @Test
  void whatCannotBeIsRefused() {
    assertThatThrownBy(() -> plan("recovery: {min_ranks: 5}"))
        .hasMessageContaining("recovery.min_ranks: expected at most ranks 4, found 5");
    assertThatThrownBy(() -> plan("recovery: {min_ranks: 0, hang_timeout: 0s, host_failures: -1}"))
        .hasMessageContaining("hang_timeout")
        .hasMessageContaining("min_ranks")
        .hasMessageContaining("host_failures");
  }
}
