package dev.kindling.worker.loop;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kindling.worker.step.StepOutcome;
import java.util.List;
import org.junit.jupiter.api.Test;

class ProgressTest {
  private static StepOutcome outcome(float scale) {
    return new StepOutcome(10f, 5f, 1f, scale, 0f);
  }

  @Test
  void skippedStepsCountAsStepsAndTokensButNotAsUpdatesFromTheNextButOneStepOn() {
    Progress progress = new Progress(7, 700, List.of(2L, 5L), 100);
    assertThat(progress.updateOf(8)).isEqualTo(6);
    progress.finished(outcome(0.2f));
    assertThat(progress.updateOf(9)).isEqualTo(7);
    progress.finished(outcome(0f));
    assertThat(progress.step()).isEqualTo(9);
    assertThat(progress.tokens()).isEqualTo(900);
    assertThat(progress.updateOf(10)).isEqualTo(8);
    assertThat(progress.updateOf(11)).isEqualTo(8);
    assertThat(progress.skipped()).containsExactly(2L, 5L, 9L);
  }
}
