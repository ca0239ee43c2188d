package dev.kindling.kernels.graph.op;

import dev.kindling.kernels.graph.ValueType;
import java.util.List;

/**
 * What a replica did in a round, ready to be averaged. Inputs anchor x, live weights w, payload
 * (equal fp32 types) -> x - w over the payload, whose content is not read. One rounding an element.
 * The first half of a blocking outer step; {@link OuterUpdate} with a merge of FRESH is the second.
 */
public record Depart() implements Op {
  @Override
  public List<ValueType> infer(List<ValueType> inputs) {
    return List.of(Expect.elementwise(this, inputs, 3));
  }

  @Override
  public long bytes(List<ValueType> inputs) {
    return 3 * inputs.get(0).bytes();
  }

  @Override
  public int alias(int output) {
    return 2;
  }
}
