package dev.kindling.kernels.backend.cuda;

import dev.kindling.kernels.graph.PlanException;
import dev.kindling.kernels.graph.Role;
import dev.kindling.kernels.graph.Variable;
import dev.kindling.kernels.memory.Span;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/**
 * Offsets of variables: one arena per role, in declaration order. Working copies of weights are
 * stored in bf16 themselves where the precision is bf16.
 */
final class RoleArenas {
  /** What a matrix product wants of an operand, and twice Span.ALIGNMENT. */
  static final int ALIGNMENT = 128;

  /** Roles that travel between host and device with every run. */
  static final List<Role> TRAVELLING = List.of(Role.INPUT, Role.STEP, Role.OUTPUT);

  private final Map<Role, Long> sizes = new EnumMap<>(Role.class);
  private final Map<String, Variable> variables = new HashMap<>();
  private final Map<String, Long> offsets = new HashMap<>();
  private final boolean bf16;

  /**
   * @param bf16 whether the precision is bf16
   */
  RoleArenas(List<Variable> declared, boolean bf16) {
    this.bf16 = bf16;
    for (Variable variable : declared) {
      if (variables.put(variable.name(), variable) != null) {
        throw new PlanException("variable " + variable.name() + " declared twice");
      }
      long offset = sizes.getOrDefault(variable.role(), 0L);
      offsets.put(variable.name(), offset / narrowing(variable.role()));
      sizes.put(variable.role(), offset + Span.aligned(variable.type().bytes()));
    }
  }

  /** How many times smaller than fp32 the variables of a role are. */
  private int narrowing(Role role) {
    return bf16 && role == Role.WORKING ? 2 : 1;
  }

  /** Size of the role's variables. */
  long bytes(Role role) {
    long bytes = sizes.getOrDefault(role, 0L) / narrowing(role);
    return (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
  }

  /** Size of the role's arena: outputs have the fault words behind them. */
  long reservedBytes(Role role) {
    return bytes(role) + (role == Role.OUTPUT ? FaultWords.BYTES : 0);
  }

  /** Size of the bf16 copies of the parameters. */
  long copiesBytes() {
    return bf16 ? bytes(Role.PARAMETER) / 2 : 0;
  }

  private long offset(String variable) {
    Long offset = offsets.get(variable);
    if (offset == null) {
      throw new IllegalArgumentException("no variable " + variable + " in this memory");
    }
    return offset;
  }

  /** Offset of this very variable; another type or role under its name is an error. */
  long offset(Variable variable) {
    if (!variable.equals(variables.get(variable.name()))) {
      throw new PlanException(
          "memory holds " + variables.get(variable.name()) + ", the graph wants " + variable);
    }
    return offset(variable.name());
  }

  Variable known(String variable) {
    offset(variable);
    return Objects.requireNonNull(variables.get(variable));
  }
}
