package dev.kindling.worker.loop;

import dev.kindling.comm.rendezvous.Rendezvous;
import dev.kindling.kernels.backend.Communicator;
import dev.kindling.worker.plan.TrainPlan;

/** Opens the communicator of the data axis after the rendezvous. */
@FunctionalInterface
public interface Connector {
  Communicator connect(TrainPlan plan, WorkerAssignment assignment, Rendezvous rendezvous);
}
