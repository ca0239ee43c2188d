package dev.kindling.kernels.graph.rewrite;

import dev.kindling.kernels.graph.Node;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.ValueType;
import dev.kindling.kernels.graph.op.AllReduce;
import dev.kindling.kernels.graph.op.ReduceScatter;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;

/**
 * Moves each all-reduce and reduce-scatter directly behind the node that writes the last of its
 * inputs: a communication lane then reduces the gradients of late layers while backward computes
 * those of early ones.
 *
 * <pre>
 *   dW2 += ...                        dW2 += ...
 *   dW1 += ...                        AllReduce dW2
 *   AllReduce dW2; AllReduce dW1      dW1 += ...; AllReduce dW1
 * </pre>
 *
 * One that reads contents of variables alone stays where it is.
 */
public final class ReduceEarly implements Rewrite {
  @Override
  public List<Node> apply(List<Node> nodes, Function<ValueType, Value> fresh) {
    Map<Integer, Integer> writers = new HashMap<>();
    Map<Integer, List<Node>> behind = new HashMap<>();
    for (Node node : nodes) {
      int last = lastWriter(node, writers);
      boolean moves = node.op() instanceof AllReduce || node.op() instanceof ReduceScatter;
      int place = moves && last >= 0 ? last : node.index();
      behind.computeIfAbsent(place, index -> new ArrayList<>()).add(node);
      // What reads the output of a moved node waits for the node it now stands behind.
      node.outputs().forEach(output -> writers.put(output.id(), place));
    }
    List<Node> result = new ArrayList<>();
    for (Node node : nodes) {
      result.addAll(behind.getOrDefault(node.index(), List.of()));
    }
    return result;
  }

  private static int lastWriter(Node node, Map<Integer, Integer> writers) {
    return node.inputs().stream()
        .mapToInt(input -> writers.getOrDefault(input.id(), -1))
        .max()
        .orElse(-1);
  }
}
