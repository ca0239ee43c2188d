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

  private final String master;
  private final Duration timeout;
  private final IntSupplier present;

  /** Whether all slots were there once: then missing ones were lost, not asked for in vain. */
  private boolean complete;

  /**
   * @param master for messages
   * @param present counts the slots that are there now
   */
  SlotWait(String master, Duration timeout, IntSupplier present) {
    this.master = master;
    this.timeout = timeout;
    this.present = present;
  }

  /**
   * @param notices hears once what is waited for, if it takes long
   * @throws AttemptFailedException after the time-out: of kind CONFIGURATION if the slots never
   *     came, else COMMUNICATION
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
              .formatted(ranks, slots, master, waited.toSeconds());
      if (waited.compareTo(timeout) >= 0) {
        throw new AttemptFailedException(
            complete ? FailureKind.COMMUNICATION : FailureKind.CONFIGURATION, -1, state, null);
      }
      if (!told && waited.compareTo(NOTICE_AFTER) >= 0) {
        notices.accept(state + " of " + timeout.toSeconds() + " s (spark.startup_timeout)");
        told = true;
      }
      TimeUnit.MILLISECONDS.sleep(POLL_MILLIS);
      slots = present.getAsInt();
    }
    complete = true;
  }
}
