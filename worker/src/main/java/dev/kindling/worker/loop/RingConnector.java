package dev.kindling.worker.loop;

import dev.kindling.comm.rendezvous.Rendezvous;
import dev.kindling.comm.ring.JobSecret;
import dev.kindling.comm.ring.ReductionOrder;
import dev.kindling.comm.ring.RingCommunicator;
import dev.kindling.comm.ring.RingOptions;
import dev.kindling.kernels.backend.Communicator;
import dev.kindling.worker.plan.Determinism;
import dev.kindling.worker.plan.TrainPlan;
import java.time.Duration;

/** Ranks in different JVMs and hosts: an authenticated TCP ring on the assignment's interface. */
public final class RingConnector implements Connector {
  private static final String LOOPBACK = "127.0.0.1";
  private static final Duration OPEN_TIMEOUT = Duration.ofSeconds(60);

  /** Longest silence in a collective: a checkpoint or a slow rank stays below, a hang does not. */
  private static final Duration COLLECTIVE_TIMEOUT = Duration.ofMinutes(5);

  @Override
  public Communicator connect(TrainPlan plan, WorkerAssignment assignment, Rendezvous rendezvous) {
    String bind = assignment.bindAddress().isEmpty() ? LOOPBACK : assignment.bindAddress();
    boolean exact = plan.determinism() == Determinism.EXACT;
    RingOptions options =
        RingOptions.of(
                JobSecret.of(assignment.secret()), assignment.runDir(), assignment.epoch(), bind)
            .withOrder(exact ? ReductionOrder.TREE : ReductionOrder.RING)
            .withTimeouts(OPEN_TIMEOUT, COLLECTIVE_TIMEOUT);
    return RingCommunicator.open(options, rendezvous);
  }
}
