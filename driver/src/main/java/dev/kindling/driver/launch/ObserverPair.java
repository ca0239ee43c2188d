package dev.kindling.driver.launch;

import dev.kindling.worker.event.WorkerEvent;
import dev.kindling.worker.launch.AttemptFailedException;

/** Tells two observers of a run, the first one first. */
record ObserverPair(RunObserver first, RunObserver second) implements RunObserver {
  @Override
  public void ranksReduced(int nextAttempt, int before, int now) {
    first.ranksReduced(nextAttempt, before, now);
    second.ranksReduced(nextAttempt, before, now);
  }

  @Override
  public void attemptStarts(int attempt) {
    first.attemptStarts(attempt);
    second.attemptStarts(attempt);
  }

  @Override
  public void attemptFailed(int attempt, AttemptFailedException failure, boolean retried) {
    first.attemptFailed(attempt, failure, retried);
    second.attemptFailed(attempt, failure, retried);
  }

  @Override
  public void emit(WorkerEvent event) {
    first.emit(event);
    second.emit(event);
  }
}
