package dev.kindling.worker.step;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kindling.kernels.graph.PlanException;
import org.junit.jupiter.api.Test;

class StepShapeTest {
  @Test
  void aBinaryCounterNeedsOneLevelPerDoubling() {
    assertThat(new StepShape(64, 16, false, 1).levels()).isZero();
    assertThat(new StepShape(64, 16, false, 2).levels()).isEqualTo(1);
    assertThat(new StepShape(64, 16, false, 8).levels()).isEqualTo(3);
  }

  @Test
  void whatDoesNotFitIsRefused() {
    assertThatThrownBy(() -> new StepShape(60, 16, false, 1))
        .isInstanceOf(PlanException.class)
        .hasMessage("micro_batch: expected a multiple of sequence_length 16, found 60");
    assertThatThrownBy(() -> new StepShape(0, 16, false, 1)).isInstanceOf(PlanException.class);
    assertThatThrownBy(() -> new StepShape(64, 16, false, 3))
        .isInstanceOf(PlanException.class)
        .hasMessageContaining("expected a power of two, found 3");
    assertThatThrownBy(() -> new StepShape(64, 16, false, 0)).isInstanceOf(PlanException.class);
    assertThatThrownBy(() -> new StepShape(64, 16, false, 1, -1)).isInstanceOf(PlanException.class);
  }
}
