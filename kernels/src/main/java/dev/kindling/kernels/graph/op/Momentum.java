package dev.kindling.kernels.graph.op;

import dev.kindling.kernels.graph.ValueType;
import java.util.List;

/**
 * The direction of a momentum. Inputs gradient, buffer (equal types), scale [1] -> direction,
 * buffer over its input. g = scale * gradient; buffer = lerp(g, buffer, momentum); direction =
 * nesterov ? lerp(g, buffer, momentum) : buffer, lerp(a, b, t) = (1 - t) a + t b. With a scale of 0
 * the buffer stays and the direction is 0. After Sutskever et al. 2013, section 2, as a mean
 * instead of a sum.
 */
public record Momentum(float momentum, boolean nesterov) implements Op {
  @Override
  public List<ValueType> infer(List<ValueType> inputs) {
    Expect.count(this, inputs, 3);
    ValueType type = Expect.elementwise(this, inputs.subList(0, 2), 2);
    Expect.f32(this, inputs, 2, 1);
    return List.of(type, type);
  }

  @Override
  public int alias(int output) {
    return output == 1 ? 1 : OWN_MEMORY;
  }
}
