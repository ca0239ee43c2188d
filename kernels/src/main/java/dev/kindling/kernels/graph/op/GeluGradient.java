package dev.kindling.kernels.graph.op;

import dev.kindling.kernels.graph.ValueType;
import java.util.List;

/** Gradient of {@link Gelu}: dx = dy * gelu'(x). Inputs x, dy; may run over either. */
public record GeluGradient() implements Op {
  @Override
  public List<ValueType> infer(List<ValueType> inputs) {
    return List.of(Expect.elementwise(this, inputs, 2));
  }

  @Override
  public boolean mayReuse(int output, int input) {
    return true;
  }
}
