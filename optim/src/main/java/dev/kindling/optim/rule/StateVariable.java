package dev.kindling.optim.rule;

import dev.kindling.kernels.graph.DType;
import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.graph.PlanException;
import dev.kindling.kernels.graph.Role;
import dev.kindling.kernels.graph.Shape;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.ValueType;
import dev.kindling.kernels.graph.Variable;
import java.util.Map;

/**
 * A piece of optimizer state that a rule keeps for one parameter: fp32, zero before step 1, part of
 * every checkpoint under its {@link #name}.
 *
 * @param suffix what it is, unique within the rule: {@code m}, {@code v}, {@code momentum}
 * @param param the parameter it belongs to
 * @param shape shape of the state, usually that of the gradient
 */
public record StateVariable(String suffix, Param param, Shape shape) {

  /** Name in graph, memory and checkpoint: {@code state/SUFFIX/PARAMETER}. */
  public String name() {
    return "state/" + suffix + "/" + param.name();
  }

  /** The graph variable that holds it. */
  public Variable variable() {
    return new Variable(name(), new ValueType(shape, DType.F32), Role.STATE);
  }

  /** Size in bytes, without the padding of the arena. */
  public long bytes() {
    return shape.elements() * DType.F32.bytes();
  }

  /** The value that a rule declared under this suffix. */
  static Value of(Map<String, Value> state, String suffix) {
    Value value = state.get(suffix);
    if (value == null) {
      throw new PlanException("optimizer state " + suffix + " is missing, found " + state.keySet());
    }
    return value;
  }
}
