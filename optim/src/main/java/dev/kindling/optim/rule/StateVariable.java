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
 * A piece of optimizer state that a rule keeps for one parameter: zero before step 1, part of every
 * checkpoint under its {@link #name}.
 *
 * @param suffix what it is, unique within the rule: {@code m}, {@code v}, {@code momentum}
 * @param param the parameter it belongs to
 * @param type shape of the state, usually that of the gradient, and what its elements are
 * @param role {@link Role#STATE}, or {@link Role#NARROW_STATE} for fp32 numbers that bf16 holds
 */
public record StateVariable(String suffix, Param param, ValueType type, Role role) {

  /** In fp32. */
  public StateVariable(String suffix, Param param, Shape shape) {
    this(suffix, param, new ValueType(shape, DType.F32), Role.STATE);
  }

  /** Name in graph, memory and checkpoint: {@code state/SUFFIX/PARAMETER}. */
  public String name() {
    return "state/" + suffix + "/" + param.name();
  }

  /** The graph variable that holds it. */
  public Variable variable() {
    return new Variable(name(), type, role);
  }

  /** Size in bytes on a device with a narrow precision, without the padding of the arena. */
  public long bytes() {
    return type.bytes() / (role.mayBeNarrow() ? 2 : 1);
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
