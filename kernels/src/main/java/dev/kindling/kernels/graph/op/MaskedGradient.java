package dev.kindling.kernels.graph.op;

import dev.kindling.kernels.graph.Shape;
import dev.kindling.kernels.graph.ValueType;
import java.util.List;

/**
 * G = scale * (W != 0) (.) dV, the gradient of {@link MaskedWeight} before its two products. dV [N,
 * K], W [N, K] or [K, N] by layout -> [N, K], fp32.
 */
public record MaskedGradient(WeightLayout layout, float scale) implements Op {
  @Override
  public List<ValueType> infer(List<ValueType> inputs) {
    Expect.count(this, inputs, 2);
    Shape weight = Expect.matrix(this, inputs, 1);
    Expect.f32(this, inputs, 0, layout.out(weight), layout.in(weight));
    return List.of(inputs.get(0));
  }

  @Override
  public boolean mayReuse(int output, int input) {
    return input == 0;
  }
}
