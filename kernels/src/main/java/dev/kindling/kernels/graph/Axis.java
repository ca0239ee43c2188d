package dev.kindling.kernels.graph;

/** A direction of the mesh of ranks. Collective operations name an axis, never a communicator. */
public enum Axis {
  DATA,
  /** Groups that train apart for some steps; ranks along it hold what should become equal. */
  REPLICA,
  SHARD,
  EXPERT,
  TENSOR,
  PIPELINE,
  CONTEXT
}
