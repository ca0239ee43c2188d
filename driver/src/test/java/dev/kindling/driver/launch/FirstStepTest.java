package dev.kindling.driver.launch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kindling.worker.event.CheckpointSaved;
import dev.kindling.worker.event.WorkerEvent;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

class FirstStepTest {
  private static WorkerEvent saved(String failure) {
    return new CheckpointSaved(0, 4, "e0000000001-s000000000004", 100, 1.5, 0.5, failure);
  }

  @Test
  void actsOnceAndNotForAFailedSave() {
    AtomicInteger calls = new AtomicInteger();
    FirstStep first = new FirstStep(calls::incrementAndGet);
    first.emit(saved("no space left"));
    assertThat(calls).hasValue(0);
    first.emit(saved(""));
    first.emit(saved(""));
    assertThat(calls).hasValue(1);
  }

  /** Else a configuration that could not be written once would be forgotten by the next attempt. */
  @Test
  void actsAgainAfterAFailure() {
    AtomicInteger calls = new AtomicInteger();
    FirstStep first =
        new FirstStep(
            () -> {
              if (calls.incrementAndGet() == 1) {
                throw new IllegalStateException("no space left");
              }
            });
    assertThatThrownBy(() -> first.emit(saved(""))).hasMessage("no space left");
    first.emit(saved(""));
    first.emit(saved(""));
    assertThat(calls).hasValue(2);
  }
}
