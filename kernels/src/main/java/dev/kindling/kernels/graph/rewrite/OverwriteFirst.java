package dev.kindling.kernels.graph.rewrite;

import dev.kindling.kernels.graph.Node;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.ValueType;
import dev.kindling.kernels.graph.op.Accumulate;
import dev.kindling.kernels.graph.op.Copy;
import dev.kindling.kernels.graph.op.Op;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.function.Function;

/**
 * What is added to a variable first is written over it instead, so that nobody has to clear it.
 *
 * <pre>
 *   dW += dy' x            dW = dy' x
 *   loss += now   -->      loss = now
 * </pre>
 *
 * Fires once for each of the contents given, for its first reader; not where that one does not add
 * to it. Numbers stay the same up to the sign of a zero: 0 + x = x.
 *
 * @param contents ids of the contents of variables at the start of a run
 */
public record OverwriteFirst(Set<Integer> contents) implements Rewrite {
  public OverwriteFirst {
    contents = Set.copyOf(contents);
  }

  @Override
  public List<Node> apply(List<Node> nodes, Function<ValueType, Value> fresh) {
    Set<Integer> unread = new HashSet<>(contents);
    List<Node> result = new ArrayList<>();
    for (Node node : nodes) {
      Node changed = node;
      for (int i = 0; i < node.inputs().size(); i++) {
        if (unread.remove(node.input(i).id())) {
          changed = overwriting(changed, i);
        }
      }
      result.add(changed);
    }
    return result;
  }

  private static Node overwriting(Node node, int input) {
    if (node.op() instanceof Accumulate && input == 0) {
      List<Value> copied = List.of(node.input(1), node.input(0));
      return new Node(node.index(), new Copy(), copied, node.outputs());
    }
    Optional<Op> over = node.op().over(input);
    return over.isPresent()
        ? new Node(node.index(), over.get(), node.inputs(), node.outputs())
        : node;
  }
}
