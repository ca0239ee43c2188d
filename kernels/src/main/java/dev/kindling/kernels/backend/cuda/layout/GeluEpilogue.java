package dev.kindling.kernels.backend.cuda.layout;

import dev.kindling.kernels.graph.Graph;
import dev.kindling.kernels.graph.Node;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.op.Gelu;
import dev.kindling.kernels.graph.op.GeluGradient;
import dev.kindling.kernels.graph.op.Linear;
import dev.kindling.kernels.graph.op.LinearInputGradient;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * GELU and its gradient ride on the product before them.
 *
 * <pre>
 *   f = Linear x; g = Gelu f                        one launch writes f (if others read it) and g
 *   dg = LinearInputGradient dy; df = GeluGradient f, dg    one launch reads f, writes df
 * </pre>
 *
 * Does not fire when f has two GELUs, dg another reader or an accumulator, or a product is in a
 * group already.
 */
final class GeluEpilogue {
  private GeluEpilogue() {}

  static void apply(Graph graph, Storage storage, List<Group> candidates) {
    Set<Node> grouped =
        candidates.stream().flatMap(group -> group.nodes().stream()).collect(Collectors.toSet());
    Set<Value> activated = new HashSet<>();
    for (Node node : graph.nodes()) {
      Value between = between(node);
      Storage.Writing writing = between == null ? null : storage.writing(between);
      if (between == null
          || writing == null
          || grouped.contains(writing.node())
          || storage.isPlaced(between)
          || storage.isPlaced(node.output(0))
          || !activated.add(between)) {
        continue;
      }
      List<Node> both = List.of(writing.node(), node);
      if (node.op() instanceof Gelu && writing.node().op() instanceof Linear) {
        candidates.add(new Group(Group.Kind.LINEAR_GELU, both));
      } else if (node.op() instanceof GeluGradient
          && writing.node().op() instanceof LinearInputGradient gradient
          && !gradient.accumulate()
          && storage.readings(between).size() == 1) {
        candidates.add(new Group(Group.Kind.LINEAR_INPUT_GRADIENT_GELU, both));
      }
    }
  }

  private static @org.jspecify.annotations.Nullable Value between(Node node) {
    if (node.op() instanceof Gelu) {
      return node.input(0);
    }
    return node.op() instanceof GeluGradient ? node.input(1) : null;
  }
}
