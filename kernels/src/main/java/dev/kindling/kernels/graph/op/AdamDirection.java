package dev.kindling.kernels.graph.op;

import dev.kindling.kernels.graph.StepScalar;
import dev.kindling.kernels.graph.ValueType;
import java.util.List;

/**
 * The direction in which Adam would go. Inputs gradient, m, v (equal types), scale [1], step block
 * -> direction, m and v over their inputs.
 *
 * <pre>
 * g = scale * gradient;  m = lerp(g, m, beta1);  v = lerp(g^2, v, beta2)
 * direction = (m / c1) / (sqrt(v / c2) + eps),   c_i the bias corrections of the step block
 * </pre>
 *
 * <p>With a scale of 0 the moments stay and the direction is 0. fp32. After Kingma and Ba 2015
 * (1412.6980), algorithm 1.
 */
public record AdamDirection(float beta1, float beta2, float eps) implements Op {
  @Override
  public List<ValueType> infer(List<ValueType> inputs) {
    Expect.count(this, inputs, 5);
    ValueType type = Expect.elementwise(this, inputs.subList(0, 3), 3);
    Expect.f32(this, inputs, 3, 1);
    Expect.f32(this, inputs, 4, StepScalar.values().length);
    return List.of(type, type, type);
  }

  @Override
  public int alias(int output) {
    return output == 0 ? OWN_MEMORY : output;
  }
}
