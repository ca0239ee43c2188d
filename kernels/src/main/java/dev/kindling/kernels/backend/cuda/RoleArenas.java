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

/** Offsets of variables: one arena per role, in declaration order. */
final class RoleArenas {
  /** What a matrix product wants of an operand, and twice Span.ALIGNMENT. */
  static final int ALIGNMENT = 128;

  private final Map<Role, Long> sizes = new EnumMap<>(Role.class);
  private final Map<String, Variable> variables = new HashMap<>();
  private final Map<String, Long> offsets = new HashMap<>();

  RoleArenas(List<Variable> declared) {
    for (Variable variable : declared) {
      if (variables.put(variable.name(), variable) != null) {
        throw new PlanException("variable " + variable.name() + " declared twice");
      }
      long offset = sizes.getOrDefault(variable.role(), 0L);
      offsets.put(variable.name(), offset);
      sizes.put(variable.role(), offset + Span.aligned(variable.type().bytes()));
    }
  }

  /** Size of the role's arena. */
  long bytes(Role role) {
    long bytes = sizes.getOrDefault(role, 0L);
    return (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
  }

  long offset(String variable) {
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
