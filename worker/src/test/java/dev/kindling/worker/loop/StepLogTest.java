package dev.kindling.worker.loop;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kindling.worker.event.StepDone;
import dev.kindling.worker.event.StepRecalled;
import java.util.List;
import org.junit.jupiter.api.Test;

class StepLogTest {
  private static StepDone step(long number) {
    return new StepDone(0, number, 512, 0.1f * number, Float.NaN, 1e-3, 2.7, 3.1, 4, 5, 0.1, false);
  }

  @Test
  void stepsAndTheirValidationComeBackBitForBit() {
    StepLog log = new StepLog();
    log.add(step(1));
    log.add(step(2));
    log.validated(2, 1.25f, Float.NaN);
    log.add(step(3));
    log.validated(3, Float.NaN, 0.75f);
    List<StepRecalled> recalled = new StepLog().restore(log.encode());
    assertThat(recalled)
        .containsExactly(
            new StepRecalled(0, step(1), Float.NaN),
            new StepRecalled(0, step(2), 1.25f),
            new StepRecalled(0, step(3), Float.NaN, 0.75f));
    assertThat(log.encode().get(1).split(" ")).as("as before there were questions").hasSize(12);
  }

  @Test
  void onlyTheLastStepsAreKept() {
    StepLog log = new StepLog();
    for (int number = 1; number <= 300; number++) {
      log.add(step(number));
    }
    List<StepRecalled> recalled = new StepLog().restore(log.encode());
    assertThat(recalled).hasSize(256);
    assertThat(recalled.get(0).step().step()).isEqualTo(45);
    assertThat(recalled.get(255).step().step()).isEqualTo(300);
  }

  @Test
  void otherTextIsRefused() {
    assertThatThrownBy(() -> StepRecalled.decode("1 2 3"))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("expected 12 words, found 3");
  }
}
