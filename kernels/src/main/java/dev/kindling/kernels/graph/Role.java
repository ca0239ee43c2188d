package dev.kindling.kernels.graph;

/**
 * Lifetime class of a variable. The variables of one role form one contiguous arena in declaration
 * order, each aligned to 64 bytes, the padding between them zero.
 */
public enum Role {
  /** fp32 masters: of a whole parameter, or of this rank's piece of one. */
  PARAMETER,
  /**
   * Whole matrices that products and tables read where the rank keeps only a piece of the master; a
   * device with a narrow precision stores them in it. The host has no view of them.
   */
  WORKING,
  GRADIENT,
  /**
   * Sums of logical shards that wait for their sibling in the reduction tree (exact mode). No
   * collective takes one: it has to be folded first.
   */
  PARTIAL,
  STATE,
  INPUT,
  OUTPUT,
  STEP
}
