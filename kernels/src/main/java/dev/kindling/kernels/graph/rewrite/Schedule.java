package dev.kindling.kernels.graph.rewrite;

import dev.kindling.kernels.graph.Node;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.ValueType;
import dev.kindling.kernels.graph.op.GatherColumns;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;

/**
 * Moves each column gather directly behind the producer of its input. Without it a demand for
 * columns saves no memory: the whole activation would live until backward.
 *
 * <pre>
 *   x = RmsNorm ...              x = RmsNorm ...
 *   ... forward, backward ...    c = GatherColumns x
 *   c = GatherColumns x          ... forward, backward ...
 *   dW = ... c ...               dW = ... c ...
 * </pre>
 *
 * Gathers of variables stay where they are: a variable lives anyway.
 */
public final class Schedule implements Rewrite {
  @Override
  public List<Node> apply(List<Node> nodes, Function<ValueType, Value> fresh) {
    Map<Integer, List<Node>> gathers = new HashMap<>();
    Readers readers = new Readers(nodes);
    for (Node node : nodes) {
      if (moves(node, readers)) {
        gathers.computeIfAbsent(node.input(0).id(), id -> new ArrayList<>()).add(node);
      }
    }
    List<Node> result = new ArrayList<>();
    for (Node node : nodes) {
      if (moves(node, readers)) {
        continue;
      }
      result.add(node);
      for (Value output : node.outputs()) {
        result.addAll(gathers.getOrDefault(output.id(), List.of()));
      }
    }
    return result;
  }

  private static boolean moves(Node node, Readers readers) {
    return node.op() instanceof GatherColumns && !readers.isVariable(node.input(0));
  }
}
