package dev.kindling.kernels.graph;

/**
 * Lifetime class of a variable. The variables of one role form one contiguous arena in declaration
 * order, each aligned to 64 bytes, the padding between them zero.
 */
public enum Role {
  PARAMETER,
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
