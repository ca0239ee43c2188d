package dev.kindling.worker.step;

import dev.kindling.kernels.graph.GraphBuilder;
import dev.kindling.kernels.graph.Node;
import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.graph.Whole;
import dev.kindling.kernels.graph.op.CrossEntropy;
import dev.kindling.kernels.graph.op.Linear;
import dev.kindling.kernels.graph.op.ScatterColumns;
import java.util.HashSet;
import java.util.Set;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * Which gradients of a step are complete when the one backward pass has written them. A table that
 * is head and embedding in one is too, although it has two summands: the second is added in fp32
 * and rounded again.
 */
final class FreshGradients {
  private FreshGradients() {}

  /** Nobody's: what a sum over micro-steps, logical shards or scattered pieces wants. */
  static Predicate<Param> none() {
    return param -> false;
  }

  /**
   * Whole matrices, but for the head where the loss comes in chunks: each chunk adds to it.
   *
   * @param forward ends with the loss and has no gradients yet
   */
  static Predicate<Param> of(GraphBuilder forward, MemorySaving saving) {
    Param summed = saving.lossChunks() > 1 ? head(forward) : null;
    Set<Param> deltas = deltas(forward);
    return param ->
        param.shape().rank() == 2
            && param.demand() instanceof Whole
            && !param.equals(summed)
            && !deltas.contains(param);
  }

  /** Deltas of columns over unpacked matrices: no product writes their gradients itself. */
  private static Set<Param> deltas(GraphBuilder forward) {
    Set<Param> deltas = new HashSet<>();
    for (Node node : forward.nodes()) {
      Param delta = node.op() instanceof ScatterColumns ? forward.paramOf(node.input(1)) : null;
      if (delta != null) {
        deltas.add(delta);
      }
    }
    return deltas;
  }

  private static @Nullable Param head(GraphBuilder forward) {
    for (Node loss : forward.nodes()) {
      for (Node node : forward.nodes()) {
        if (loss.op() instanceof CrossEntropy
            && node.op() instanceof Linear
            && node.outputs().contains(loss.input(0))) {
          return forward.paramOf(node.input(1));
        }
      }
    }
    return null;
  }
}
