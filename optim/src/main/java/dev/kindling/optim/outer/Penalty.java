package dev.kindling.optim.outer;

/** What divides a displacement that arrives a round late. */
public enum Penalty {
  /** A number. */
  CONSTANT,
  /** {@link dev.kindling.kernels.graph.op.StalenessGap} over all parameters together. */
  RATIO_NORM,
  /** The same for each parameter. */
  RATIO_TENSOR
}
