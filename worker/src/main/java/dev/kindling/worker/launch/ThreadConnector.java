package dev.kindling.worker.launch;

import dev.kindling.comm.rendezvous.Rendezvous;
import dev.kindling.kernels.backend.Backend;
import dev.kindling.kernels.backend.Communicator;
import dev.kindling.worker.loop.Connector;
import dev.kindling.worker.loop.WorkerAssignment;
import dev.kindling.worker.plan.TrainPlan;

/**
 * A rank that is a thread of this JVM, as all others are.
 *
 * @param own of its steps
 * @param second of the same ranks
 * @param third of the same ranks, as replicas
 */
record ThreadConnector(Communicator own, Communicator second, Communicator third)
    implements Connector {
  @Override
  public Communicator connect(
      TrainPlan plan, WorkerAssignment assignment, Rendezvous rendezvous, Backend backend) {
    return own;
  }

  @Override
  public Communicator beside(TrainPlan plan, WorkerAssignment assignment, Communicator data) {
    return second;
  }

  @Override
  public Communicator replicas(TrainPlan plan, WorkerAssignment assignment, Communicator data) {
    return third;
  }

  /** Ends what other ranks wait for. */
  void abort() {
    own.close();
    second.close();
    third.close();
  }
}
