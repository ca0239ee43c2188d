package dev.kindling.kernels.graph.rewrite;

import dev.kindling.kernels.graph.Node;
import dev.kindling.kernels.graph.Value;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** Who reads and who writes each value of a node list. */
final class Readers {
  private final Map<Integer, Integer> counts = new HashMap<>();
  private final Map<Integer, Node> producers = new HashMap<>();

  Readers(List<Node> nodes) {
    for (Node node : nodes) {
      node.inputs().forEach(input -> counts.merge(input.id(), 1, Integer::sum));
      node.outputs().forEach(output -> producers.put(output.id(), node));
    }
  }

  int count(Value value) {
    return counts.getOrDefault(value.id(), 0);
  }

  /** True for the first content of a variable. */
  boolean isVariable(Value value) {
    return !producers.containsKey(value.id());
  }
}
