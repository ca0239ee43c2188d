package dev.kindling.kernels.graph.op;

import dev.kindling.kernels.graph.StepScalar;
import dev.kindling.kernels.graph.ValueType;
import java.util.List;

/**
 * One SGD update in place. Inputs param, gradient, then a momentum buffer if momentum is not 0
 * (equal types), scale [1], step block -> param (and buffer) over theirs. g = scale * gradient +
 * weightDecay * p; buffer = momentum * buffer + g; p -= lr * (nesterov ? g + momentum * buffer :
 * buffer). A scale of 0 leaves everything unchanged. After Sutskever et al. 2013.
 */
public record Sgd(float momentum, float weightDecay, boolean nesterov) implements Op {
  @Override
  public List<ValueType> infer(List<ValueType> inputs) {
    boolean buffered = momentum != 0;
    Expect.count(this, inputs, buffered ? 5 : 4);
    Expect.f32(this, inputs, 0);
    Expect.same(this, 1, inputs.get(0), inputs.get(1));
    if (buffered) {
      Expect.same(this, 2, inputs.get(0), inputs.get(2));
    }
    Expect.f32(this, inputs, inputs.size() - 2, 1);
    Expect.f32(this, inputs, inputs.size() - 1, StepScalar.values().length);
    return buffered ? List.of(inputs.get(0), inputs.get(2)) : List.of(inputs.get(0));
  }

  @Override
  public int alias(int output) {
    return output == 0 ? 0 : 2;
  }
}
