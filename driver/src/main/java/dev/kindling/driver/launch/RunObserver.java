package dev.kindling.driver.launch;

import dev.kindling.worker.event.EventSink;
import dev.kindling.worker.launch.AttemptFailedException;

/** Sees a whole run: its attempts and what their ranks say. */
public interface RunObserver extends EventSink {
  void attemptStarts(int attempt);

  /**
   * @param retried whether another attempt follows
   */
  void attemptFailed(int attempt, AttemptFailedException failure, boolean retried);

  /** The next attempt has fewer ranks, which share the same global batch. */
  default void ranksReduced(int nextAttempt, int before, int now) {}
}
