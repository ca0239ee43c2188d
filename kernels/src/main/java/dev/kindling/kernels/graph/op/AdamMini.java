package dev.kindling.kernels.graph.op;

import dev.kindling.kernels.graph.StepScalar;
import dev.kindling.kernels.graph.ValueType;
import java.util.List;

/**
 * One Adam-mini update in place: AdamW with one second moment for each run of {@code block}
 * elements. Inputs param, gradient, m (equal types, n elements), v [n / block], scale [1], step
 * block -> param, m, v over theirs. g = scale * gradient; m = lerp(g, m, beta1); v = lerp(mean of
 * g^2 over the run, v, beta2); p -= lr * ((m / c1) / (sqrt(v / c2) + eps) + weightDecay * p). The
 * mean in fp64, fixed order. A scale of 0 leaves everything unchanged. After Zhang et al. 2024
 * (2406.16793), algorithm 1.
 */
public record AdamMini(float beta1, float beta2, float eps, float weightDecay, int block)
    implements Op {
  @Override
  public List<ValueType> infer(List<ValueType> inputs) {
    Expect.count(this, inputs, 6);
    ValueType type = Expect.elementwise(this, inputs.subList(0, 3), 3);
    long elements = type.shape().elements();
    Expect.that(
        block > 0 && elements % block == 0,
        this,
        "expected " + elements + " elements in equal blocks, found blocks of " + block);
    Expect.f32(this, inputs, 3, Math.toIntExact(elements / block));
    Expect.f32(this, inputs, 4, 1);
    Expect.f32(this, inputs, 5, StepScalar.values().length);
    return List.of(inputs.get(0), inputs.get(2), inputs.get(3));
  }

  @Override
  public int alias(int output) {
    return output == 0 ? 0 : output + 1;
  }
}
