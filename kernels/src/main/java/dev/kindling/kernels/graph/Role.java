package dev.kindling.kernels.graph;

/**
 * Lifetime class of a variable. The variables of one role form one contiguous arena in declaration
 * order, each aligned to 64 bytes, the padding between them zero.
 */
public enum Role {
  /** Whole fp32 masters, which products read themselves or through a narrow copy of the device. */
  PARAMETER,
  /** This rank's pieces of fp32 masters. Only updates and gathers read them. */
  SHARD,
  /**
   * Whole matrices that products and tables read where the rank keeps only a piece of the master; a
   * device with a narrow precision stores them in it. The host has no view of them.
   */
  WORKING,
  /**
   * Packed weights that nobody trains and no checkpoint holds: written by the host before the first
   * step, read by what unpacks them.
   */
  FROZEN,
  /** Sums over the tokens of a step, which any number of backward passes add to. */
  GRADIENT,
  /**
   * Gradients of whole matrices that one backward pass writes and no other adds to. A device with a
   * narrow precision stores them in it, and so they travel between ranks.
   */
  FRESH_GRADIENT,
  /**
   * Sums of logical shards that wait for their sibling in the reduction tree (exact mode). No
   * collective takes one: it has to be folded first.
   */
  PARTIAL,
  STATE,
  /**
   * State of an optimizer that holds numbers of a narrow precision alone; a device that has one
   * stores them in it, the CPU as fp32.
   */
  NARROW_STATE,
  /**
   * What replicas send each other behind a round, apart from everything that programs beside it
   * write: the arena is one reduction, of what the programs before it left there.
   */
  PAYLOAD,
  INPUT,
  OUTPUT,
  STEP;

  /** Whether a device with a narrow precision stores variables of this role in it. */
  public boolean mayBeNarrow() {
    return this == WORKING || this == FRESH_GRADIENT || this == NARROW_STATE;
  }
}
