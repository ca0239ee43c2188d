package dev.kindling.driver.plugin;

import dev.kindling.worker.launch.SystemSignals;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * An executor outlives a signal to the whole process group: the driver gets it too, lets the ranks
 * finish their step and save, and then ends the executors itself.
 */
final class ExecutorSignals {
  /** Shorter than the 30 s in which a run must have ended after a signal. */
  private static final long TERM_GRACE_MILLIS = 28_000;

  private static final int EXIT_TERM = 143;

  private ExecutorSignals() {}

  static void install() {
    SystemSignals.on("INT", () -> {});
    AtomicBoolean asked = new AtomicBoolean();
    // TERM may be meant for this executor alone (a node is drained): then nobody else ends it.
    SystemSignals.on(
        "TERM",
        () -> {
          if (asked.compareAndSet(false, true)) {
            Thread thread = new Thread(ExecutorSignals::endAfterGrace, "kindling-term");
            thread.setDaemon(true);
            thread.start();
          }
        });
  }

  private static void endAfterGrace() {
    try {
      Thread.sleep(TERM_GRACE_MILLIS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    Runtime.getRuntime().halt(EXIT_TERM);
  }
}
