package dev.kindling.driver.launch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kindling.worker.launch.AttemptFailedException;
import dev.kindling.worker.launch.FailureKind;
import dev.kindling.worker.loop.StopRequest;
import dev.kindling.worker.loop.StopSignal;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

class SlotWaitTest {
  private static final Duration BRIEF = Duration.ofMillis(120);

  private final List<String> notices = new ArrayList<>();
  private final AtomicInteger slots = new AtomicInteger();

  private SlotWait slots(Duration timeout) {
    return new SlotWait(terms(timeout, FailureKind.CONFIGURATION, ""), slots::get);
  }

  private static SlotWait.Terms terms(Duration timeout, FailureKind never, String hint) {
    return new SlotWait.Terms("spark://h:7077", timeout, never, hint);
  }

  private void refused(SlotWait wait, FailureKind kind, String message) {
    assertThatThrownBy(() -> wait.await(3, StopSignal.NEVER, notices::add))
        .isInstanceOfSatisfying(
            AttemptFailedException.class, e -> assertThat(e.kind()).isEqualTo(kind))
        .hasMessage(message);
  }

  @Test
  void slotsThatNeverCameAreTheUsersSlotsThatWentAreLost() throws InterruptedException {
    SlotWait wait = slots(BRIEF);
    slots.set(2);
    String message = "ranks: needs 3 slots, 2 present on spark://h:7077; waited 0 s";
    refused(wait, FailureKind.CONFIGURATION, message);
    slots.set(3);
    wait.await(3, StopSignal.NEVER, notices::add);
    slots.set(2);
    refused(wait, FailureKind.LOST_SLOTS, message);
  }

  @Test
  void gpusThatNeverCameAreADeviceFailureWithAHint() throws InterruptedException {
    SlotWait wait = new SlotWait(terms(BRIEF, FailureKind.DEVICE, "; look there"), slots::get);
    String message = "ranks: needs 3 slots, 2 present on spark://h:7077; waited 0 s";
    slots.set(2);
    refused(wait, FailureKind.DEVICE, message + "; look there");
    slots.set(3);
    wait.await(3, StopSignal.NEVER, notices::add);
    slots.set(2);
    refused(wait, FailureKind.LOST_SLOTS, message);
  }

  @Test
  void slotsThatComeLateAreWaitedFor() throws InterruptedException {
    SlotWait wait =
        new SlotWait(
            terms(Duration.ofMinutes(2), FailureKind.CONFIGURATION, ""), slots::incrementAndGet);
    wait.await(3, StopSignal.NEVER, notices::add);
    assertThat(slots).hasValue(3);
    assertThat(notices).isEmpty();
  }

  @Test
  void aStopEndsTheWait() {
    assertThatThrownBy(
            () ->
                slots(Duration.ofHours(1))
                    .await(1, () -> StopRequest.CHECKPOINT_AND_STOP, notices::add))
        .isInstanceOf(InterruptedException.class);
  }
}
