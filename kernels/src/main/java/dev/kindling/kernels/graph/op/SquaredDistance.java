package dev.kindling.kernels.graph.op;

import dev.kindling.kernels.graph.PlanException;
import dev.kindling.kernels.graph.ValueType;
import java.util.List;

/**
 * Squared Euclidean distance between two lists of arrays. Inputs a_1, b_1, a_2, b_2, ... (each pair
 * of equal fp32 types) -> [1] = sum over all elements of (a - b)^2. Differences and sum in fp64,
 * rounded once; the order of the sum depends on the device, not on the run.
 */
public record SquaredDistance() implements Op {
  @Override
  public List<ValueType> infer(List<ValueType> inputs) {
    if (inputs.isEmpty() || inputs.size() % 2 != 0) {
      throw new PlanException(this + ": expected pairs of inputs, found " + inputs.size());
    }
    for (int i = 0; i < inputs.size(); i += 2) {
      Expect.f32(this, inputs, i);
      Expect.same(this, i + 1, inputs.get(i), inputs.get(i + 1));
    }
    return List.of(ValueType.f32(1));
  }
}
