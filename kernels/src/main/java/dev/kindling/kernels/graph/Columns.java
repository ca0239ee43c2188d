package dev.kindling.kernels.graph;

import java.util.HashSet;
import java.util.List;

/**
 * Only some input features of a linear weight are trained (PaCA). For a weight [N, K] the gradient
 * has shape [N, indices]; for a weight [K, N] it has shape [indices, N].
 */
public record Columns(List<Integer> indices) implements Demand {
  public Columns {
    indices = List.copyOf(indices);
    if (indices.isEmpty()
        || new HashSet<>(indices).size() != indices.size()
        || indices.stream().anyMatch(i -> i < 0)) {
      throw new PlanException("columns must be distinct, not negative, at least one: " + indices);
    }
  }

  public int[] toArray() {
    return indices.stream().mapToInt(Integer::intValue).toArray();
  }
}
