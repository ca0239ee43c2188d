package dev.kindling.kernels.graph.rewrite;

import dev.kindling.kernels.graph.Node;
import dev.kindling.kernels.graph.PlanException;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.ValueType;
import dev.kindling.kernels.graph.op.Op;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;

/**
 * Moves each of the last nodes directly behind the last one that it needs, so that a gradient lives
 * no longer than until its update and the next one may lie where it lay.
 *
 * <pre>
 *   dW2 = ...; dx2 = dy W2            dW2 = ...; dx2 = dy W2
 *   dW1 = ...; dx1 = dx2 W1    -->    update W2, dW2
 *   update W2, dW2                    dW1 = ...; dx1 = dx2 W1
 *   update W1, dW1                    update W1, dW1
 * </pre>
 *
 * A node needs the writers of what it reads and, if it writes in place, every earlier reader of
 * what it overwrites. One that needs no other node stays where it is. The moved ones keep their
 * order.
 *
 * @param from index of the first node that may move
 */
public record UpdateEarly(int from) implements Rewrite {
  public UpdateEarly {
    if (from < 0) {
      throw new PlanException("first node to move: expected 0 or more, found " + from);
    }
  }

  @Override
  public List<Node> apply(List<Node> nodes, Function<ValueType, Value> fresh) {
    Map<Integer, Integer> writers = new HashMap<>();
    Map<Integer, Integer> readers = new HashMap<>();
    Map<Integer, List<Node>> behind = new HashMap<>();
    for (Node node : nodes) {
      int place = node.index();
      if (place >= from) {
        int needed = needed(node, writers, readers);
        place = needed < 0 ? place : needed;
        behind.computeIfAbsent(place, index -> new ArrayList<>()).add(node);
      }
      for (Value input : node.inputs()) {
        readers.merge(input.id(), place, Math::max);
      }
      for (Value output : node.outputs()) {
        writers.put(output.id(), place);
      }
    }
    List<Node> result = new ArrayList<>();
    for (Node node : nodes) {
      if (node.index() < from) {
        result.add(node);
      }
      result.addAll(behind.getOrDefault(node.index(), List.of()));
    }
    return result;
  }

  /** Place of the last node that this one has to stand behind, -1 for none. */
  private static int needed(
      Node node, Map<Integer, Integer> writers, Map<Integer, Integer> readers) {
    int last = -1;
    for (Value input : node.inputs()) {
      last = Math.max(last, writers.getOrDefault(input.id(), -1));
    }
    for (int i = 0; i < node.outputs().size(); i++) {
      int alias = node.op().alias(i);
      if (alias != Op.OWN_MEMORY) {
        last = Math.max(last, readers.getOrDefault(node.input(alias).id(), -1));
      }
    }
    return last;
  }
}
