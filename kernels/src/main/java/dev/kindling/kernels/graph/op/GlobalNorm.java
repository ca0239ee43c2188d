package dev.kindling.kernels.graph.op;

import dev.kindling.kernels.graph.ValueType;
import java.util.List;

/**
 * L2 norm of all gradients divided by tokenCount. Inputs gradients..., tokenCount [1] -> [1].
 * Squares are summed in fp64, fixed order.
 */
public record GlobalNorm() implements Op {
  @Override
  public List<ValueType> infer(List<ValueType> inputs) {
    Expect.atLeast(this, inputs, 2);
    for (int i = 0; i < inputs.size(); i++) {
      Expect.f32(this, inputs, i);
    }
    Expect.f32(this, inputs, inputs.size() - 1, 1);
    return List.of(ValueType.f32(1));
  }
}
