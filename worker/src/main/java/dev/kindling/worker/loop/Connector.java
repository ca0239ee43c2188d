package dev.kindling.worker.loop;

import dev.kindling.comm.rendezvous.Rendezvous;
import dev.kindling.kernels.backend.Backend;
import dev.kindling.kernels.backend.Communicator;
import dev.kindling.worker.plan.TrainPlan;

/** How the ranks of an attempt connect. */
public interface Connector {
  /**
   * Opens the communicator of the data axis after the rendezvous. The backend is there already,
   * because communicators between devices connect the device of this rank.
   */
  Communicator connect(
      TrainPlan plan, WorkerAssignment assignment, Rendezvous rendezvous, Backend backend);

  /**
   * Opens a second communicator of the same ranks, between hosts and not devices, for a thread
   * beside that of the steps. All ranks together.
   *
   * @param data over which they meet
   */
  Communicator beside(TrainPlan plan, WorkerAssignment assignment, Communicator data);

  /**
   * Opens the communicator over which ranks that train apart average, for a thread beside that of
   * the steps. All ranks together.
   *
   * @param data over which they meet
   */
  Communicator replicas(TrainPlan plan, WorkerAssignment assignment, Communicator data);
}
