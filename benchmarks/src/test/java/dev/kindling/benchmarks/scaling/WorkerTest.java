package dev.kindling.benchmarks.scaling;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import org.junit.jupiter.api.Test;

class WorkerTest {
  @Test
  void theSharesOfAStepAreItsWhole() {
    Worker worker = Samples.worker(0, 0);
    assertThat(worker.forward() + worker.backward() + worker.update()).isEqualTo(1);
    assertThat(worker.stepSeconds()).isEqualTo(0.1);
    assertThatThrownBy(() -> new Worker("w", 1, 1, 1, 0.7, 0.4, 0, 1, 0, 0))
        .hasMessageContaining("backward: expected at most 1 with update, found 0.7");
  }

  @Test
  void everyMistakeIsToldAtOnce() {
    assertThatThrownBy(() -> new Worker("w", 0, 0, -1, 0.5, 0.1, 1.5, 0, -0.1, -1))
        .satisfies(
            e -> {
              for (String key :
                  List.of(
                      "parameters",
                      "tokens",
                      "step_ms",
                      "jitter",
                      "jitter_steps",
                      "spread",
                      "outer_ms")) {
                assertThat(e).hasMessageContaining(key + ": expected");
              }
            });
  }
}
