package dev.kindling.driver.launch;

import dev.kindling.worker.event.CheckpointSaved;
import dev.kindling.worker.event.StepDone;
import dev.kindling.worker.event.WorkerEvent;
import dev.kindling.worker.launch.AttemptFailedException;
import java.util.concurrent.atomic.AtomicBoolean;

/** Acts once, as soon as a run is known to work: a step was reported or a checkpoint saved. */
final class FirstStep implements RunObserver {
  private final Runnable action;
  private final AtomicBoolean done = new AtomicBoolean();

  FirstStep(Runnable action) {
    this.action = action;
  }

  @Override
  public void attemptStarts(int attempt) {}

  @Override
  public void attemptFailed(int attempt, AttemptFailedException failure, boolean retried) {}

  @Override
  public void emit(WorkerEvent event) {
    boolean step = event instanceof StepDone;
    // Where steps are logged at long intervals.
    boolean saved = event instanceof CheckpointSaved checkpoint && checkpoint.failure().isEmpty();
    if ((step || saved) && done.compareAndSet(false, true)) {
      action.run();
    }
  }
}
