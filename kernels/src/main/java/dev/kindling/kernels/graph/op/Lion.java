package dev.kindling.kernels.graph.op;

import dev.kindling.kernels.graph.StepScalar;
import dev.kindling.kernels.graph.ValueType;
import java.util.List;

/**
 * One Lion update in place. Inputs param, gradient, m (equal types), scale [1], step block ->
 * param, m over theirs. g = scale * gradient; u = sign(beta1 m + (1 - beta1) g), 0 where that is 0;
 * p -= lr * (u + weightDecay * p); m = beta2 m + (1 - beta2) g. A scale of 0 leaves everything
 * unchanged. After Chen et al. 2023 (2302.06675), algorithm 2.
 */
public record Lion(float beta1, float beta2, float weightDecay) implements Op {
  @Override
  public List<ValueType> infer(List<ValueType> inputs) {
    Expect.count(this, inputs, 5);
    Expect.elementwise(this, inputs.subList(0, 3), 3);
    Expect.f32(this, inputs, 3, 1);
    Expect.f32(this, inputs, 4, StepScalar.values().length);
    return List.of(inputs.get(0), inputs.get(2));
  }

  @Override
  public int alias(int output) {
    return output == 0 ? 0 : 2;
  }
}
