package dev.kindling.kernels.backend.cuda.layout;

import dev.kindling.kernels.graph.Graph;
import dev.kindling.kernels.graph.Node;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.op.Rope;

/**
 * Rotates where the vectors lie, so that query and key stay inside the packed product that wrote
 * them and their gradients inside the packed operand that reads them. Does not fire when somebody
 * else reads the input, or when it is a variable's.
 */
final class InPlaceRope {
  private InPlaceRope() {}

  static void apply(Graph graph, Storage storage) {
    for (Node node : graph.nodes()) {
      Value x = node.input(0);
      if (node.op() instanceof Rope
          && storage.readings(x).size() == 1
          && storage.variable(x) == null
          && storage.element(x) == storage.element(node.output(0))) {
        storage.takeOver(x, node.output(0));
      }
    }
  }
}
