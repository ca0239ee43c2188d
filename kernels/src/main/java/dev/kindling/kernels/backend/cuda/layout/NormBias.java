package dev.kindling.kernels.backend.cuda.layout;

import dev.kindling.kernels.graph.Graph;
import dev.kindling.kernels.graph.Node;
import dev.kindling.kernels.graph.op.BiasGradient;
import dev.kindling.kernels.graph.op.LayerNormGradient;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * The gradient of a bias that ends in the residual stream rides on the norm gradient that wrote the
 * stream's gradient: its rows are in registers there.
 *
 * <pre>
 *   dx = LayerNormGradient ...        one launch writes dx
 *   db = BiasGradient dx              and its column sums
 * </pre>
 *
 * Does not fire when either node is in a group already, the sums are of another output, or two
 * biases want the same sums.
 */
final class NormBias {
  private NormBias() {}

  static void apply(Graph graph, Storage storage, List<Group> candidates) {
    Set<Node> grouped =
        candidates.stream().flatMap(group -> group.nodes().stream()).collect(Collectors.toSet());
    Set<Node> norms = new HashSet<>();
    for (Node node : graph.nodes()) {
      Storage.Writing writing =
          node.op() instanceof BiasGradient ? storage.writing(node.input(0)) : null;
      if (writing != null
          && writing.output() == 0
          && writing.node().op() instanceof LayerNormGradient
          && !grouped.contains(node)
          && !grouped.contains(writing.node())
          && norms.add(writing.node())) {
        candidates.add(
            new Group(Group.Kind.LAYER_NORM_GRADIENT_BIAS, List.of(writing.node(), node)));
      }
    }
  }
}
