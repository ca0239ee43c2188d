package dev.kindling.kernels.backend.cpu;

import dev.kindling.kernels.backend.Memory;
import dev.kindling.kernels.graph.PlanException;
import dev.kindling.kernels.graph.Role;
import dev.kindling.kernels.graph.Variable;
import dev.kindling.kernels.memory.Span;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** One span per role, one slice per variable, and the activation arena that programs share in turn. */
final class CpuMemory implements Memory {
  private final Map<Role, Span> arenas = new EnumMap<>(Role.class);
  private final Map<String, Span> spans = new HashMap<>();
  private final Map<String, Variable> variables = new HashMap<>();
  private final java.util.ArrayList<Span> workspaces = new java.util.ArrayList<>();

  CpuMemory(List<Variable> declared) {
    for (Role role : Role.values()) {
      long bytes = 0;
      for (Variable variable : declared) {
        bytes += variable.role() == role ? Span.aligned(variable.type().bytes()) : 0;
      }
      if (bytes > Integer.MAX_VALUE - Span.ALIGNMENT) {
        throw new PlanException(
            role + " arena: expected less than 2 GiB on the CPU backend, found " + bytes + " bytes");
      }
      arenas.put(role, Span.allocate(bytes));
    }
    Map<Role, Long> offsets = new EnumMap<>(Role.class);
    for (Variable variable : declared) {
      if (variables.put(variable.name(), variable) != null) {
        throw new PlanException("variable " + variable.name() + " declared twice");
      }
      long offset = offsets.getOrDefault(variable.role(), 0L);
      spans.put(variable.name(), arena(variable.role()).slice(offset, variable.type().bytes()));
      offsets.put(variable.role(), offset + Span.aligned(variable.type().bytes()));
    }
  }

  @Override
  public Span span(String variable) {
    Span span = spans.get(variable);
    if (span == null) {
      throw new IllegalArgumentException("no variable " + variable + " in this memory");
    }
    return span;
  }

  /** The span of this very variable; another type or role under its name is an error. */
  Span span(Variable variable) {
    if (!variable.equals(variables.get(variable.name()))) {
      throw new PlanException(
          "memory holds " + variables.get(variable.name()) + ", the graph wants " + variable);
    }
    return span(variable.name());
  }

  @Override
  public Span arena(Role role) {
    return java.util.Objects.requireNonNull(arenas.get(role));
  }

  @Override
  public long bytes(Role role) {
    return arena(role).bytes();
  }

  /** Activation memory. Programs run one after the other, so one block of the largest size serves all. */
  Span workspace(long bytes) {
    for (Span workspace : workspaces) {
      if (workspace.bytes() >= bytes) {
        return workspace;
      }
    }
    Span larger = Span.allocate(bytes);
    workspaces.add(larger);
    return larger;
  }

  @Override
  public void close() {
    workspaces.forEach(Span::close);
    workspaces.clear();
    arenas.values().forEach(Span::close);
  }
}
