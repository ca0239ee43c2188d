package dev.kindling.kernels.graph.op;

import dev.kindling.kernels.graph.StepScalar;
import dev.kindling.kernels.graph.ValueType;
import java.util.List;

/**
 * One Adafactor update in place. Inputs param, gradient [R, C] (or [R]), rows [R], columns [C],
 * mean [1], rms [1] of {@link FactoredRms}, norm of the parameter [1] if {@code relative}, scale
 * [1], step block -> param over its input. U as there; p = p - lr * (s * U / max(1, rms / clip) +
 * weightDecay * p), s = relative ? max(leastSize, norm / sqrt(elements)) : 1. A scale of 0 leaves
 * it unchanged. After Shazeer and Stern 2018 (1804.04235), algorithm 4.
 */
public record Adafactor(float clip, float weightDecay, boolean relative, float leastSize)
    implements Op {
  @Override
  public List<ValueType> infer(List<ValueType> inputs) {
    Expect.count(this, inputs, relative ? 9 : 8);
    Expect.f32(this, inputs, 0);
    Expect.same(this, 1, inputs.get(0), inputs.get(1));
    Expect.factored(this, inputs, 1, 2);
    for (int i = 4; i < inputs.size() - 1; i++) {
      Expect.f32(this, inputs, i, 1);
    }
    Expect.f32(this, inputs, inputs.size() - 1, StepScalar.values().length);
    return List.of(inputs.get(0));
  }

  @Override
  public int alias(int output) {
    return 0;
  }
}
