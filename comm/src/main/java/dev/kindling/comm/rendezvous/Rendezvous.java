package dev.kindling.comm.rendezvous;

import java.util.List;

/**
 * Where the ranks of one attempt meet before they can talk to each other. The rank is logical: it
 * is neither a Spark partition nor tied to one Spark job.
 */
public interface Rendezvous {
  /** This rank, 0 to {@code worldSize() - 1}. */
  int rank();

  /** Number of ranks. */
  int worldSize();

  /**
   * Hands in a message and returns those of all ranks, in rank order. Every rank calls it equally
   * often. Blocks until all have called.
   *
   * @throws dev.kindling.kernels.backend.CollectiveException when a rank does not come in time
   */
  List<String> allGather(String message);
}
