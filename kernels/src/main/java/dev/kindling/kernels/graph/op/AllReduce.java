package dev.kindling.kernels.graph.op;

import dev.kindling.kernels.graph.Axis;
import dev.kindling.kernels.graph.ValueType;
import java.util.List;

/**
 * Sum over the ranks of an axis, in place: output i aliases input i. The backend merges inputs that
 * lie side by side, so a whole gradient arena is one call. fp32.
 */
public record AllReduce(Axis axis) implements Op {
  @Override
  public List<ValueType> infer(List<ValueType> inputs) {
    Expect.atLeast(this, inputs, 1);
    for (int i = 0; i < inputs.size(); i++) {
      Expect.f32(this, inputs, i);
    }
    return inputs;
  }

  @Override
  public int alias(int output) {
    return output;
  }
}
