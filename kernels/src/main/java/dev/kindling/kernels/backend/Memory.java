package dev.kindling.kernels.backend;

import dev.kindling.kernels.graph.Role;
import dev.kindling.kernels.memory.Span;

/** The variables of a run. Each role is one contiguous arena, so a whole role is one transfer. */
public interface Memory extends AutoCloseable {
  /** Place of one variable; unknown names are an IllegalArgumentException. */
  Span span(String variable);

  /** All variables of the role in declaration order, padding zero; empty span if there are none. */
  Span arena(Role role);

  long bytes(Role role);

  @Override
  void close();
}
