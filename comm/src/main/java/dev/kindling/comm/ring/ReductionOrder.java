package dev.kindling.comm.ring;

/** The fixed order in which a communicator adds the values of the ranks. */
public enum ReductionOrder {
  /**
   * Each piece is summed along the ring, starting at another rank. Bits repeat at equal world size
   * and differ between world sizes.
   */
  RING,
  /**
   * Ranks are folded by {@link dev.kindling.comm.reduce.LogicalTree}: the same bits for 1, 2, 4, 8
   * ranks when each rank passes the tree sum of its aligned block of logical shards.
   */
  TREE
}
