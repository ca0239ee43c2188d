package dev.kindling.kernels.graph;

/** A direction of the mesh of ranks. Collective operations name an axis, never a communicator. */
public enum Axis {
  DATA,
  SHARD,
  EXPERT,
  TENSOR,
  PIPELINE,
  CONTEXT
}
