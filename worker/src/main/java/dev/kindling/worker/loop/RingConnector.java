package dev.kindling.worker.loop;

import dev.kindling.comm.nccl.NcclCommunicator;
import dev.kindling.comm.nccl.NcclOptions;
import dev.kindling.comm.rendezvous.CommunicatorRendezvous;
import dev.kindling.comm.rendezvous.Rendezvous;
import dev.kindling.comm.ring.JobSecret;
import dev.kindling.comm.ring.PeerWatch;
import dev.kindling.comm.ring.ReductionOrder;
import dev.kindling.comm.ring.RingCommunicator;
import dev.kindling.comm.ring.RingOptions;
import dev.kindling.comm.ring.Tuning;
import dev.kindling.kernels.backend.Backend;
import dev.kindling.kernels.backend.Communicator;
import dev.kindling.kernels.graph.Axis;
import dev.kindling.worker.plan.Determinism;
import dev.kindling.worker.plan.Device;
import dev.kindling.worker.plan.TrainPlan;
import java.time.Duration;
import java.util.Map;

/**
 * Ranks in different JVMs and hosts: an authenticated TCP ring on the assignment's interface. With
 * a GPU per rank the step's collectives run over NCCL, and the ring is for bookkeeping.
 */
public final class RingConnector implements Connector {
  private static final String LOOPBACK = "127.0.0.1";
  private static final Duration OPEN_TIMEOUT = Duration.ofSeconds(60);

  /** NCCL between two GPUs over 1 Mbit/s was seen to need 42 s. */
  private static final Duration NCCL_OPEN_TIMEOUT = Duration.ofMinutes(5);

  /** Longest silence in a collective: a checkpoint or a slow rank stays below, a hang does not. */
  private static final Duration COLLECTIVE_TIMEOUT = Duration.ofMinutes(5);

  private static final Duration CLOSE_TIMEOUT = Duration.ofSeconds(10);

  @Override
  public Communicator connect(
      TrainPlan plan, WorkerAssignment assignment, Rendezvous rendezvous, Backend backend) {
    boolean exact = plan.determinism() == Determinism.EXACT;
    RingOptions options =
        options(assignment).withOrder(exact ? ReductionOrder.TREE : ReductionOrder.RING);
    RingCommunicator ring = RingCommunicator.open(options, rendezvous);
    if (plan.device() != Device.CUDA || ring.worldSize() == 1) {
      return ring;
    }
    try {
      return betweenDevices(ring, options, backend);
    } catch (RuntimeException | Error failure) {
      ring.close();
      throw failure;
    }
  }

  @Override
  public Communicator beside(TrainPlan plan, WorkerAssignment assignment, Communicator data) {
    // A rank whose storage hangs is heard of after its patience, twice at worst.
    Duration silence = COLLECTIVE_TIMEOUT.plus(plan.checkpoint().timeout().multipliedBy(2));
    RingOptions options = options(assignment).withTimeouts(OPEN_TIMEOUT, silence);
    return RingCommunicator.open(options, new CommunicatorRendezvous(data));
  }

  @Override
  public Communicator replicas(TrainPlan plan, WorkerAssignment assignment, Communicator data) {
    return RingCommunicator.open(options(assignment), new CommunicatorRendezvous(data));
  }

  private static RingOptions options(WorkerAssignment assignment) {
    String bind = assignment.bindAddress().isEmpty() ? LOOPBACK : assignment.bindAddress();
    return RingOptions.of(
            JobSecret.of(assignment.secret()), assignment.runDir(), assignment.epoch(), bind)
        .withTimeouts(OPEN_TIMEOUT, COLLECTIVE_TIMEOUT)
        .withTuning(tuning(System.getenv()));
  }

  /**
   * {@code KINDLING_SHM_DISABLE=1}: ranks of one host talk over its network, as NCCL can be told.
   */
  static Tuning tuning(Map<String, String> environment) {
    Tuning tuning = Tuning.defaults();
    boolean apart = "1".equals(environment.get("KINDLING_SHM_DISABLE"));
    return apart ? tuning.withoutSharedMemory() : tuning;
  }

  private static Communicator betweenDevices(
      RingCommunicator ring, RingOptions options, Backend backend) {
    NcclOptions patience =
        NcclOptions.of(Axis.DATA)
            .withTimeouts(NCCL_OPEN_TIMEOUT, COLLECTIVE_TIMEOUT, CLOSE_TIMEOUT);
    PeerWatch peers = PeerWatch.open(options, new CommunicatorRendezvous(ring));
    try {
      backend.makeCurrent();
      return NcclCommunicator.open(patience, ring, peers);
    } catch (RuntimeException | Error failure) {
      peers.close();
      throw failure;
    }
  }
}
