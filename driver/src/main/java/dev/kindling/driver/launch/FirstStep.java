package dev.kindling.driver.launch;

import dev.kindling.worker.event.CheckpointSaved;
import dev.kindling.worker.event.StepDone;
import dev.kindling.worker.event.WorkerEvent;
import dev.kindling.worker.launch.AttemptFailedException;

/**
 * Acts once, as soon as a run is known to work: a step was reported or a checkpoint saved. An
 * action that threw is tried again at the next such event, which may be one of the next attempt.
 */
final class FirstStep implements RunObserver {
  private final Runnable action;
  private boolean done;

  FirstStep(Runnable action) {
    this.action = action;
  }

  @Override
  public void attemptStarts(int attempt) {}

  @Override
  public void attemptFailed(int attempt, AttemptFailedException failure, boolean retried) {}

  @Override
  public synchronized void emit(WorkerEvent event) {
    boolean step = event instanceof StepDone;
    // Where steps are logged at long intervals.
    boolean saved = event instanceof CheckpointSaved checkpoint && checkpoint.failure().isEmpty();
    if ((step || saved) && !done) {
      action.run();
      done = true;
    }
  }
}
