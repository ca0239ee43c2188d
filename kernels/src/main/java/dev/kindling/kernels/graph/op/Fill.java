package dev.kindling.kernels.graph.op;

import dev.kindling.kernels.graph.ValueType;
import java.util.List;

/** Sets every element of every input, in place: output i aliases input i. fp32. */
public record Fill(float value) implements Op {
  @Override
  public List<ValueType> infer(List<ValueType> inputs) {
    Expect.atLeast(this, inputs, 1);
    for (int i = 0; i < inputs.size(); i++) {
      Expect.f32(this, inputs, i);
    }
    return inputs;
  }

  @Override
  public long bytes(List<ValueType> inputs) {
    return inputs.stream().mapToLong(ValueType::bytes).sum();
  }

  @Override
  public int alias(int output) {
    return output;
  }
}
