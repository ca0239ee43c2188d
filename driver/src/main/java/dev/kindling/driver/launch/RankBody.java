package dev.kindling.driver.launch;

import dev.kindling.comm.rendezvous.Rendezvous;
import dev.kindling.worker.event.EventSink;
import dev.kindling.worker.loop.StopSignal;
import dev.kindling.worker.loop.WorkerAssignment;
import dev.kindling.worker.loop.WorkerResult;
import java.io.Serializable;

/**
 * What each rank does. Implement it as a named class without fields: Spark serialises it into every
 * task, and lambdas do not survive a different class loader.
 */
@FunctionalInterface
public interface RankBody extends Serializable {
  WorkerResult run(
      WorkerAssignment assignment, Rendezvous rendezvous, EventSink events, StopSignal stop)
      throws Exception;
}
