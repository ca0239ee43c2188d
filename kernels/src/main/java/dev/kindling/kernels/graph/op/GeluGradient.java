package dev.kindling.kernels.graph.op;

import dev.kindling.kernels.graph.ValueType;
import java.util.List;

/** Gradient of {@link Gelu}: dx = dy * gelu'(x). Inputs x, dy; may run over either. */
public record GeluGradient() implements Op {
  @Override
  public List<ValueType> infer(List<ValueType> inputs) {
    Expect.count(this, inputs, 2);
    Expect.f32(this, inputs, 0);
    Expect.same(this, 1, inputs.get(0), inputs.get(1));
    return List.of(inputs.get(0));
  }

  @Override
  public boolean mayReuse(int output, int input) {
    return true;
  }
}
