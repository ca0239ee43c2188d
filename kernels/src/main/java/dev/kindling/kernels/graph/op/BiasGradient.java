package dev.kindling.kernels.graph.op;

import dev.kindling.kernels.graph.Shape;
import dev.kindling.kernels.graph.ValueType;
import java.util.List;

/**
 * Column sums of dy [T, N] -> [N] (+ accumulator, which the output then aliases). Fixed order over
 * T.
 */
public record BiasGradient(boolean accumulate) implements Op {
  @Override
  public List<ValueType> infer(List<ValueType> inputs) {
    Expect.count(this, inputs, accumulate ? 2 : 1);
    Shape dy = Expect.matrix(this, inputs, 0);
    if (accumulate) {
      Expect.f32(this, inputs, 1, dy.dim(1));
    }
    return List.of(ValueType.f32(dy.dim(1)));
  }

  @Override
  public int alias(int output) {
    return accumulate ? 1 : OWN_MEMORY;
  }
}
