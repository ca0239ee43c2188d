package dev.kindling.kernels.graph.op;

import dev.kindling.kernels.graph.ValueType;
import java.util.List;

/** y = x / max(norm, least). x [R, C], norm [1] -> [R, C]. */
public record Normalize(float least) implements Op {
  @Override
  public List<ValueType> infer(List<ValueType> inputs) {
    Expect.count(this, inputs, 2);
    Expect.matrix(this, inputs, 0);
    Expect.f32(this, inputs, 1, 1);
    return List.of(inputs.get(0));
  }
}
