package dev.kindling.kernels.graph.op;

import dev.kindling.kernels.graph.Shape;
import dev.kindling.kernels.graph.ValueType;
import java.util.List;

/** dx = dy W (+ accumulator, which dx then aliases). dy [T, N], W by layout -> dx [T, K]. */
public record LinearInputGradient(WeightLayout layout, boolean accumulate) implements Op {
  @Override
  public List<ValueType> infer(List<ValueType> inputs) {
    Expect.count(this, inputs, accumulate ? 3 : 2);
    Shape dy = Expect.matrix(this, inputs, 0);
    Shape weight = Expect.matrix(this, inputs, 1);
    Expect.that(layout.out(weight) == dy.dim(1), this, "weight " + weight + " for dy " + dy);
    ValueType dx = ValueType.f32(dy.dim(0), layout.in(weight));
    if (accumulate) {
      Expect.same(this, 2, dx, inputs.get(2));
    }
    return List.of(dx);
  }

  @Override
  public long flops(List<ValueType> inputs) {
    return 2 * inputs.get(0).shape().elements() * layout.in(inputs.get(1).shape());
  }

  @Override
  public int alias(int output) {
    return accumulate ? 2 : OWN_MEMORY;
  }
}
