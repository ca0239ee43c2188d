package dev.kindling.kernels.graph;

/** Normal distribution with mean 0 and standard deviation {@code std}. */
public record Normal(double std) implements Init {
  public Normal {
    if (!(std > 0) || Double.isInfinite(std)) {
      throw new PlanException("std: expected a positive number, found " + std);
    }
  }
}
