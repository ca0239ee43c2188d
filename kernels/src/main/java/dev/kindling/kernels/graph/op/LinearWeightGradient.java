package dev.kindling.kernels.graph.op;

import dev.kindling.kernels.graph.Shape;
import dev.kindling.kernels.graph.ValueType;
import java.util.List;

/**
 * dW = dy^T x (+ accumulator, which dW then aliases). x [T, K], dy [T, N] -> [N, K] or [K, N] by
 * layout. One product with beta 1, no temporary.
 */
public record LinearWeightGradient(WeightLayout layout, boolean accumulate) implements Op {
  @Override
  public List<ValueType> infer(List<ValueType> inputs) {
    Expect.count(this, inputs, accumulate ? 3 : 2);
    Shape x = Expect.matrix(this, inputs, 0);
    Shape dy = Expect.matrix(this, inputs, 1);
    Expect.that(x.dim(0) == dy.dim(0), this, "x " + x + " and dy " + dy + " differ in T");
    ValueType gradient = Linear.type(layout.shape(dy.dim(1), x.dim(1)));
    if (accumulate) {
      Expect.same(this, 2, gradient, inputs.get(2));
    }
    return List.of(gradient);
  }

  @Override
  public long flops(List<ValueType> inputs) {
    return 2 * inputs.get(0).shape().elements() * inputs.get(1).shape().dim(1);
  }

  @Override
  public int alias(int output) {
    return accumulate ? 2 : OWN_MEMORY;
  }
}
