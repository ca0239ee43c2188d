package dev.kindling.kernels.graph.op;

import dev.kindling.kernels.graph.StepScalar;
import dev.kindling.kernels.graph.ValueType;
import java.util.List;

/**
 * One step along a direction, in place. Inputs param, direction (equal types), scale [1], step
 * block -> param over its input: p = p - lr * (factor * direction + weightDecay * p). A scale of 0
 * leaves it unchanged; any other one is not used.
 */
public record Descend(float factor, float weightDecay) implements Op {
  @Override
  public List<ValueType> infer(List<ValueType> inputs) {
    Expect.count(this, inputs, 4);
    ValueType type = Expect.elementwise(this, inputs.subList(0, 2), 2);
    Expect.f32(this, inputs, 2, 1);
    Expect.f32(this, inputs, 3, StepScalar.values().length);
    return List.of(type);
  }

  @Override
  public int alias(int output) {
    return 0;
  }
}
