package dev.kindling.kernels.graph.op;

import dev.kindling.kernels.graph.Axis;
import dev.kindling.kernels.graph.ValueType;
import java.util.List;

/**
 * An operation in which all ranks of an axis meet. All ranks run the same graph, so they come to
 * the same collectives in the same order; {@code Graph.fingerprintOfCollectives} proves it before
 * step 1.
 *
 * <p>Gradients are those of the sum of the losses of all ranks: the gradient of a collective is the
 * transposed collective, and every rank gets the derivative with respect to what it put in itself.
 *
 * <p>Shards are equal pieces of dimension 0, or equal runs of all elements where the operation says
 * so (flat); piece i belongs to rank i. What does not divide evenly is refused: whoever shards a
 * value pads it first.
 */
public sealed interface Collective
    permits AllGather, AllReduce, AllToAll, Broadcast, Reduce, ReduceScatter {
  /** The direction of the mesh along which the ranks meet. */
  Axis axis();

  /**
   * Bytes that a rank of {@code degree} sends, as a mean over the ranks, in an implementation that
   * sends no byte needlessly.
   */
  long sentBytes(List<ValueType> inputs, int degree);
}
