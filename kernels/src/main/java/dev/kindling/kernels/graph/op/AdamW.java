package dev.kindling.kernels.graph.op;

import dev.kindling.kernels.graph.StepScalar;
import dev.kindling.kernels.graph.ValueType;
import java.util.List;
import java.util.Optional;

/**
 * One AdamW update in place. Inputs param, gradient, m, v (equal types), scale [1], step block ->
 * param, m, v over theirs. g = scale * gradient; m = lerp(g, m, beta1); v = lerp(g^2, v, beta2); p
 * -= lr * ((m / c1) / (sqrt(v / c2) + eps) + weightDecay * p) with lr, c1, c2 of the step block. A
 * scale of 0 leaves everything unchanged. With a rounding key the parameter has no fp32 master:
 * what is left of it is rounded to bf16 by {@link dev.kindling.kernels.random.StochasticRounding}
 * with that key and the step of the step block. With a state key m and v are rounded so too, after
 * their use, with that key and the next one. After Loshchilov and Hutter 2019 (1711.05101),
 * algorithm 2.
 */
public record AdamW(
    float beta1,
    float beta2,
    float eps,
    float weightDecay,
    Optional<Long> roundingKey,
    Optional<Long> stateKey)
    implements Op {
  /** With an fp32 parameter. */
  public AdamW(float beta1, float beta2, float eps, float weightDecay) {
    this(beta1, beta2, eps, weightDecay, Optional.empty());
  }

  /** With fp32 state. */
  public AdamW(float beta1, float beta2, float eps, float weightDecay, Optional<Long> roundingKey) {
    this(beta1, beta2, eps, weightDecay, roundingKey, Optional.empty());
  }

  @Override
  public List<ValueType> infer(List<ValueType> inputs) {
    Expect.count(this, inputs, 6);
    Expect.f32(this, inputs, 0);
    for (int i = 1; i < 4; i++) {
      Expect.same(this, i, inputs.get(0), inputs.get(i));
    }
    Expect.f32(this, inputs, 4, 1);
    Expect.f32(this, inputs, 5, StepScalar.values().length);
    return List.of(inputs.get(0), inputs.get(2), inputs.get(3));
  }

  @Override
  public int alias(int output) {
    return output == 0 ? 0 : output + 1;
  }
}
