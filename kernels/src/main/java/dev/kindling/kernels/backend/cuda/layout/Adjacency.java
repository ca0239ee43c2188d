package dev.kindling.kernels.backend.cuda.layout;

import dev.kindling.kernels.graph.Graph;
import dev.kindling.kernels.graph.Role;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.Variable;
import dev.kindling.kernels.memory.Span;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Which variables lie side by side without padding. The variables of a role form one arena in
 * declaration order, each aligned to {@link Span#ALIGNMENT}; so two are adjacent if one is declared
 * right after the other and the first one's fp32 size is a multiple of that alignment. The bf16
 * copy of a parameter, and variables stored in bf16, lie at half their fp32 offset, so fp32
 * neighbours are bf16 neighbours, aligned to 32 bytes.
 */
final class Adjacency {
  private final Map<Variable, Integer> places = new HashMap<>();

  Adjacency(Graph graph) {
    Map<Role, Integer> next = new EnumMap<>(Role.class);
    for (Variable variable : graph.variables()) {
      places.put(variable, next.merge(variable.role(), 1, Integer::sum));
    }
  }

  /** Place among the variables of its role. */
  int place(Variable variable) {
    return java.util.Objects.requireNonNull(places.get(variable));
  }

  /** Whether {@code right} starts where {@code left} ends. */
  boolean adjacent(@Nullable Variable left, @Nullable Variable right) {
    return left != null
        && right != null
        && left.role() == right.role()
        && place(right) == place(left) + 1
        && left.type().bytes() % Span.ALIGNMENT == 0;
  }

  /** Whether each variable starts where the one before it ends. */
  boolean adjacent(List<@Nullable Variable> variables) {
    for (int i = 1; i < variables.size(); i++) {
      if (!adjacent(variables.get(i - 1), variables.get(i))) {
        return false;
      }
    }
    return variables.stream().allMatch(variable -> variable != null);
  }

  /** The variable whose content at the start this value is, if it has this role. */
  static @Nullable Variable content(Graph graph, Value value, Role role) {
    Variable variable = graph.contents().get(value.id());
    return variable != null && variable.role() == role ? variable : null;
  }
}
