package dev.kindling.kernels.graph.op;

import dev.kindling.kernels.graph.ValueType;
import java.util.List;

/** Writes source over destination, in place. Inputs source, destination of equal type. */
public record Copy() implements Op {
  @Override
  public List<ValueType> infer(List<ValueType> inputs) {
    Expect.count(this, inputs, 2);
    Expect.same(this, 1, inputs.get(0), inputs.get(1));
    return List.of(inputs.get(0));
  }

  @Override
  public long bytes(List<ValueType> inputs) {
    return 2 * inputs.get(0).bytes();
  }

  @Override
  public int alias(int output) {
    return 1;
  }
}
