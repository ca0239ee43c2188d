package dev.kindling.kernels.backend.cuda.layout;

import dev.kindling.kernels.graph.Graph;
import dev.kindling.kernels.graph.Node;
import dev.kindling.kernels.graph.op.LinearWeightGradient;
import dev.kindling.kernels.graph.op.SwiGlu;
import dev.kindling.kernels.graph.op.SwiGluGradient;
import java.util.List;

/**
 * A SwiGLU that backward computes again rides on its gradient, which has gate and up in registers.
 *
 * <pre>
 *   a = SwiGlu gate, up
 *   dgate, dup = SwiGluGradient gate, up, da      one launch reads gate, up, da; writes dgate, dup, a
 * </pre>
 *
 * Does not fire when anything but gradients of weights reads a: forward would wait for backward.
 */
final class RepeatSwiGlu {
  private RepeatSwiGlu() {}

  static void apply(Graph graph, Storage storage, List<Group> candidates) {
    for (Node node : graph.nodes()) {
      if (node.op() instanceof SwiGlu && repeats(storage, node)) {
        for (Storage.Reading reading : storage.readings(node.input(0))) {
          if (reading.node().op() instanceof SwiGluGradient
              && reading.node().inputs().subList(0, 2).equals(node.inputs())) {
            candidates.add(new Group(Group.Kind.SWIGLU_GRADIENT, List.of(node, reading.node())));
            break;
          }
        }
      }
    }
  }

  private static boolean repeats(Storage storage, Node node) {
    List<Storage.Reading> readings = storage.readings(node.output(0));
    return !readings.isEmpty()
        && readings.stream().allMatch(r -> r.node().op() instanceof LinearWeightGradient);
  }
}
