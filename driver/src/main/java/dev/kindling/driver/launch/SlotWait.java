package dev.kindling.driver.launch;

import dev.kindling.worker.launch.AttemptFailedException;
import dev.kindling.worker.launch.FailureKind;
import dev.kindling.worker.loop.StopRequest;
import dev.kindling.worker.loop.StopSignal;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.function.IntSupplier;

/** Waits until there is a slot for every rank. */
final class SlotWait {
  private static final Duration NOTICE_AFTER = Duration.ofSeconds(5);
  private static final long POLL_MILLIS = 50;

  /**
   * What is waited for.
   *
   * @param master for messages
   * @param never kind of the failure if the slots never came
   * @param hint what to look at then, appended to the message
   */
  record Terms(String master, Duration timeout, FailureKind never, String hint) {}

  private final Terms terms;
  private final IntSupplier present;

  /** Whether all slots were there once: then missing ones were lost, not asked for in vain. */
  private boolean complete;

  /**
   * @param present counts the slots that are there now
   */
  SlotWait(Terms terms, IntSupplier present) {
    this.terms = terms;
    this.present = present;
  }

  /**
   * @param notices hears once what is waited for, if it takes long
   * @throws AttemptFailedException after the time-out: of the terms' kind if the slots never came,
   *     else LOST_SLOTS
   * @throws InterruptedException if a stop is wished meanwhile
   */
  void await(int ranks, StopSignal stop, Consumer<String> notices) throws InterruptedException {
    long begin = System.nanoTime();
    boolean told = false;
    int slots = present.getAsInt();
    while (slots < ranks) {
      if (stop.poll() != StopRequest.NONE) {
        throw new InterruptedException("stopped while waiting for slots");
      }
      Duration waited = Duration.ofNanos(System.nanoTime() - begin);
      String state =
          "ranks: needs %d slots, %d present on %s; waited %d s"
              .formatted(ranks, slots, terms.master(), waited.toSeconds());
      if (waited.compareTo(terms.timeout()) >= 0) {
        if (complete) {
          throw new AttemptFailedException(FailureKind.LOST_SLOTS, -1, state, null);
        }
        throw new AttemptFailedException(terms.never(), -1, state + terms.hint(), null);
      }
      if (!told && waited.compareTo(NOTICE_AFTER) >= 0) {
        notices.accept(state + " of " + terms.timeout().toSeconds() + " s (spark.startup_timeout)");
        told = true;
      }
      TimeUnit.MILLISECONDS.sleep(POLL_MILLIS);
      slots = present.getAsInt();
    }
    complete = true;
  }
}
