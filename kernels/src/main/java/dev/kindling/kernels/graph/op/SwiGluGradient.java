package dev.kindling.kernels.graph.op;

import dev.kindling.kernels.graph.ValueType;
import java.util.List;

/** Gradient of {@link SwiGlu}. Inputs gate, up, dy; outputs dGate, dUp; may run over its inputs. */
public record SwiGluGradient() implements Op {
  @Override
  public List<ValueType> infer(List<ValueType> inputs) {
    Expect.count(this, inputs, 3);
    Expect.f32(this, inputs, 0);
    Expect.same(this, 1, inputs.get(0), inputs.get(1));
    Expect.same(this, 2, inputs.get(0), inputs.get(2));
    return List.of(inputs.get(0), inputs.get(0));
  }

  @Override
  public boolean mayReuse(int output, int input) {
    return true;
  }
}
