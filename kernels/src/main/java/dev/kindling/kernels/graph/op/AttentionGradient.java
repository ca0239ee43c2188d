package dev.kindling.kernels.graph.op;

import dev.kindling.kernels.graph.AttentionShape;
import dev.kindling.kernels.graph.ValueType;
import java.util.List;

/**
 * Gradient of {@link Attention}. Inputs q, k, v, o, lse, do, optionally segments; outputs dq, dk,
 * dv.
 */
public record AttentionGradient(AttentionShape shape, boolean segments) implements Op {
  @Override
  public List<ValueType> infer(List<ValueType> inputs) {
    Expect.count(this, inputs, segments ? 7 : 6);
    int tokens = Expect.matrix(this, inputs, 0).dim(0);
    Attention.check(this, shape, inputs, tokens);
    Expect.same(this, 3, inputs.get(0), inputs.get(3));
    Expect.same(this, 4, Attention.lse(shape, tokens), inputs.get(4));
    Expect.same(this, 5, inputs.get(0), inputs.get(5));
    if (segments) {
      Expect.i32(this, inputs, 6, tokens);
    }
    return inputs.subList(0, 3);
  }

  /** Five products against the forward's two. */
  @Override
  public long flops(List<ValueType> inputs) {
    return 5 * Attention.productFlops(shape, inputs);
  }
}
