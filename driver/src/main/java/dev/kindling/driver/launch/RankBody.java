package dev.kindling.driver.launch;

import dev.kindling.worker.loop.RankContext;
import dev.kindling.worker.loop.WorkerAssignment;
import dev.kindling.worker.loop.WorkerResult;
import java.io.Serializable;

/**
 * What each rank does. Implement it as a named class without fields: Spark serialises it into every
 * task, and lambdas do not survive a different class loader.
 */
@FunctionalInterface
public interface RankBody extends Serializable {
  WorkerResult run(WorkerAssignment assignment, RankContext context) throws Exception;
}
