package dev.kindling.driver.launch;

import dev.kindling.worker.loop.RankContext;
import dev.kindling.worker.loop.WorkerAssignment;
import dev.kindling.worker.loop.WorkerResult;
import dev.kindling.worker.loop.WorkerTask;

/** A rank that trains. */
final class TrainingBody implements RankBody {
  private static final long serialVersionUID = 1L;

  @Override
  public WorkerResult run(WorkerAssignment assignment, RankContext context) {
    return WorkerTask.run(assignment, context);
  }
}
