package dev.kindling.kernels.graph.op;

import dev.kindling.kernels.graph.ValueType;
import java.util.List;

/** accumulator += x, in place. Inputs accumulator, x of equal type, fp32. */
public record Accumulate() implements Op {
  @Override
  public List<ValueType> infer(List<ValueType> inputs) {
    return List.of(Expect.elementwise(this, inputs, 2));
  }

  @Override
  public int alias(int output) {
    return 0;
  }
}
