package dev.kindling.kernels.graph;

/**
 * Index of each scalar of an outer step in its block: F32 [values().length], written by the host
 * before each outer step.
 */
public enum OuterScalar {
  /** Outer learning rate. */
  RATE,
  /** Outer momentum factor. */
  MOMENTUM,
  /** Bound on every element of the stored momentum; infinity switches it off. */
  MOMENTUM_LIMIT,
  /** Bound on every element of the applied step before the rate; infinity switches it off. */
  STEP_LIMIT,
  /** How much of its own fresh displacement a replica applies at once, in [0, 1]. */
  OWN_SHARE,
  /** Inner steps of the round whose displacement arrives. */
  INNER_STEPS
}
