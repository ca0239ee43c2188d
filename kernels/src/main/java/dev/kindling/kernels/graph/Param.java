package dev.kindling.kernels.graph;

/**
 * A trained or frozen tensor (fp32) under its public name.
 *
 * @param decay whether weight decay applies (matrices yes, gains and biases no)
 */
public record Param(String name, Shape shape, Demand demand, Init init, boolean decay) {
  public Param {
    if (name.isBlank()) {
      throw new PlanException("parameter without a name");
    }
  }

  public ValueType type() {
    return new ValueType(shape, DType.F32);
  }

  public Variable variable() {
    return new Variable(name, type(), Role.PARAMETER);
  }
}
