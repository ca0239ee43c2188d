package dev.kindling.kernels.graph.op;

import dev.kindling.kernels.graph.ValueType;
import java.util.List;

/** z = a x + b y of two matrices [R, C] -> [R, C]. With b of 0 the second is not read. */
public record WeightedSum(float a, float b) implements Op {
  @Override
  public List<ValueType> infer(List<ValueType> inputs) {
    Expect.matrix(this, inputs, 0);
    return List.of(Expect.elementwise(this, inputs, 2));
  }
}
