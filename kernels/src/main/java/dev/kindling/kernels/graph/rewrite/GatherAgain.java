package dev.kindling.kernels.graph.rewrite;

import dev.kindling.kernels.graph.Node;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.ValueType;
import dev.kindling.kernels.graph.op.AllGather;
import dev.kindling.kernels.graph.op.CrossEntropyWithGradient;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;

/**
 * Backward gathers again what forward gathered, so that the whole dies between the two.
 *
 * <pre>
 *   w = AllGather piece               w = AllGather piece
 *   y = Linear x, w                   y = Linear x, w            (w dies)
 *   ... other gathers, loss ...       ... other gathers, loss ...
 *   dx = LinearInputGradient dy, w    w' = AllGather piece
 *                                     dx = LinearInputGradient dy, w'
 * </pre>
 *
 * Does not fire where no other gathered value is read between the last use in forward and the first
 * in backward, such as for the head: it would be gathered twice in a row. Pieces are contents of
 * variables that nothing before the update changes.
 */
public final class GatherAgain implements Rewrite {
  @Override
  public List<Node> apply(List<Node> nodes, Function<ValueType, Value> fresh) {
    int loss = lossIndex(nodes);
    Map<Integer, List<Node>> readers = readersOfGathers(nodes);
    Map<Integer, Map<Integer, Value>> again = new HashMap<>();
    Map<Integer, List<Node>> before = new HashMap<>();
    for (Node gather : nodes) {
      List<Node> uses = readers.get(gather.output(0).id());
      if (uses == null || !diesBetween(gather, uses, loss, readers)) {
        continue;
      }
      Value whole = fresh.apply(gather.output(0).type());
      List<Node> backward = uses.stream().filter(use -> use.index() > loss).toList();
      before
          .computeIfAbsent(backward.get(0).index(), index -> new ArrayList<>())
          .add(new Node(gather.index(), gather.op(), gather.inputs(), List.of(whole)));
      for (Node use : backward) {
        again
            .computeIfAbsent(use.index(), index -> new HashMap<>())
            .put(gather.output(0).id(), whole);
      }
    }
    List<Node> result = new ArrayList<>();
    for (Node node : nodes) {
      result.addAll(before.getOrDefault(node.index(), List.of()));
      Map<Integer, Value> other = again.getOrDefault(node.index(), Map.of());
      List<Value> inputs =
          node.inputs().stream().map(input -> other.getOrDefault(input.id(), input)).toList();
      result.add(new Node(node.index(), node.op(), inputs, node.outputs()));
    }
    return result;
  }

  private static int lossIndex(List<Node> nodes) {
    return nodes.stream()
        .filter(node -> node.op() instanceof CrossEntropyWithGradient)
        .mapToInt(Node::index)
        .findFirst()
        .orElse(nodes.size());
  }

  /** Output of each gather that makes a new whole to its readers, in order. */
  static Map<Integer, List<Node>> readersOfGathers(List<Node> nodes) {
    Map<Integer, List<Node>> readers = new HashMap<>();
    for (Node node : nodes) {
      Set<Value> distinct = new HashSet<>(node.inputs());
      for (Value input : distinct) {
        List<Node> known = readers.get(input.id());
        if (known != null) {
          known.add(node);
        }
      }
      if (node.op() instanceof AllGather gather && !gather.into()) {
        readers.put(node.output(0).id(), new ArrayList<>());
      }
    }
    return readers;
  }

  private static boolean diesBetween(
      Node gather, List<Node> uses, int loss, Map<Integer, List<Node>> readers) {
    int last = uses.stream().mapToInt(Node::index).filter(use -> use < loss).max().orElse(-1);
    int first = uses.stream().mapToInt(Node::index).filter(use -> use > loss).min().orElse(-1);
    if (last < 0 || first < 0) {
      return false;
    }
    int own = gather.output(0).id();
    return readers.entrySet().stream()
        .filter(other -> other.getKey() != own)
        .flatMap(other -> other.getValue().stream())
        .anyMatch(use -> use.index() > last && use.index() < first);
  }
}
