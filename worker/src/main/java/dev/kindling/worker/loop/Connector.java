package dev.kindling.worker.loop;

import dev.kindling.comm.rendezvous.Rendezvous;
import dev.kindling.kernels.backend.Backend;
import dev.kindling.kernels.backend.Communicator;
import dev.kindling.worker.plan.TrainPlan;

/**
 * Opens the communicator of the data axis after the rendezvous. The backend is there already,
 * because communicators between devices connect the device of this rank.
 */
@FunctionalInterface
public interface Connector {
  Communicator connect(
      TrainPlan plan, WorkerAssignment assignment, Rendezvous rendezvous, Backend backend);
}
