package dev.kindling.kernels.graph.op;

import dev.kindling.kernels.graph.AttentionShape;
import dev.kindling.kernels.graph.Shape;
import dev.kindling.kernels.graph.ValueType;
import java.util.List;

/**
 * Attention of the newest token of each of B sequences to the keys that a cache holds: o =
 * softmax(q k^T / sqrt(C)) v over the first lengths[b] rows of sequence b, query head h reads key
 * head h / (H / K). q [B, H * C], keys and values [B * sequence, K * C] with the rows of a sequence
 * together, lengths I32 [B] -> o [B, H * C]. {@code shape.sequence} is the number of rows a
 * sequence has in the cache; with a window the last so many of the first lengths[b] count. Exact
 * softmax in fp32; a sequence of length 0 gives zeros; a length outside [0, sequence] is an
 * InputException when the node runs.
 *
 * <p>The same numbers as the last row of {@link Attention} over the whole sequence, up to rounding.
 */
public record CachedAttention(AttentionShape shape) implements Op {
  @Override
  public List<ValueType> infer(List<ValueType> inputs) {
    Expect.count(this, inputs, 4);
    int sequences = Expect.matrix(this, inputs, 0).dim(0);
    int width = shape.kvHeads() * shape.headDim();
    Expect.f32(this, inputs, 0, sequences, shape.heads() * shape.headDim());
    Expect.f32(this, inputs, 1, sequences * shape.sequence(), width);
    Expect.f32(this, inputs, 2, sequences * shape.sequence(), width);
    Expect.i32(this, inputs, 3, sequences);
    return List.of(inputs.get(0));
  }

  /** Two products with every row of a full cache. */
  @Override
  public long flops(List<ValueType> inputs) {
    Shape q = inputs.get(0).shape();
    return 4 * q.elements() * shape.sequence();
  }
}
