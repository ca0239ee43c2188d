package dev.kindling.kernels.graph;

/** A named place that outlives a run of a program. */
public record Variable(String name, ValueType type, Role role) {
  public Variable {
    if (name.isBlank()) {
      throw new PlanException("variable without a name");
    }
  }
}
