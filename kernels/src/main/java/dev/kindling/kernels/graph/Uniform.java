package dev.kindling.kernels.graph;

/** Equally likely in [-bound, bound). */
public record Uniform(double bound) implements Init {
  public Uniform {
    if (!(bound > 0)) {
      throw new PlanException("bound of an initialisation: expected above 0, found " + bound);
    }
  }
}
