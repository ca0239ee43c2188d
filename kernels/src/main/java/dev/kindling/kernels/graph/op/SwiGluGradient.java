package dev.kindling.kernels.graph.op;

import dev.kindling.kernels.graph.ValueType;
import java.util.List;

/** Gradient of {@link SwiGlu}. Inputs gate, up, dy; outputs dGate, dUp; may run over its inputs. */
public record SwiGluGradient() implements Op {
  @Override
  public List<ValueType> infer(List<ValueType> inputs) {
    ValueType type = Expect.elementwise(this, inputs, 3);
    return List.of(type, type);
  }

  @Override
  public boolean mayReuse(int output, int input) {
    return true;
  }
}
