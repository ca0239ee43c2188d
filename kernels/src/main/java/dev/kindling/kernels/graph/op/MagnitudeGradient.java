package dev.kindling.kernels.graph.op;

import dev.kindling.kernels.graph.ValueType;
import java.util.List;

/**
 * With s = column sums of v * dy: dm = s / norm, dnorm = -s m / norm^2. v and dy [T, N], m and norm
 * [N] -> [N], [N], fp32, rows added in a fixed order.
 */
public record MagnitudeGradient() implements Op {
  @Override
  public List<ValueType> infer(List<ValueType> inputs) {
    Expect.count(this, inputs, 4);
    int width = Expect.matrix(this, inputs, 0).dim(1);
    Expect.same(this, 1, inputs.get(0), inputs.get(1));
    Expect.f32(this, inputs, 2, width);
    Expect.f32(this, inputs, 3, width);
    return List.of(ValueType.f32(width), ValueType.f32(width));
  }
}
