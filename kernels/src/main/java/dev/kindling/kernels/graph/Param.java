package dev.kindling.kernels.graph;

/**
 * A trained or frozen tensor (fp32) under its public name.
 *
 * @param decay whether weight decay applies (matrices yes, gains and biases no)
 * @param hidden whether it is the matrix of a linear map between hidden features: no table, no head
 */
public record Param(
    String name, Shape shape, Demand demand, Init init, boolean decay, boolean hidden) {
  public Param {
    if (name.isBlank()) {
      throw new PlanException("parameter without a name");
    }
  }

  /** Not a hidden matrix. */
  public Param(String name, Shape shape, Demand demand, Init init, boolean decay) {
    this(name, shape, demand, init, decay, false);
  }

  /** Whether it is a hidden matrix whose gradient is wanted whole. */
  public boolean isWholeHiddenMatrix() {
    return hidden && shape.rank() == 2 && demand instanceof Whole;
  }

  public ValueType type() {
    return new ValueType(shape, DType.F32);
  }

  public Variable variable() {
    return new Variable(name, type(), Role.PARAMETER);
  }
}
