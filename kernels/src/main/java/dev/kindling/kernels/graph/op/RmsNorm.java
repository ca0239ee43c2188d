package dev.kindling.kernels.graph.op;

import dev.kindling.kernels.graph.GraphBuilder;
import dev.kindling.kernels.graph.Node;
import dev.kindling.kernels.graph.Shape;
import dev.kindling.kernels.graph.ValueType;
import java.util.List;

/**
 * y = x * g / rms(x), rms over D in fp32 with a fixed lane fold, eps inside the root. x [T, D], g
 * [D] -> y [T, D], r = 1 / rms [T].
 *
 * <p>Saves r. Gradient: with h = g * dy, dx = r * h - (r^3 / D) * sum(h * x) * x; dg = sum over T
 * of dy * x * r, fixed order. After Zhang and Sennrich 2019 (1910.07467), section 4.
 */
public record RmsNorm(float eps) implements Op {
  @Override
  public List<ValueType> infer(List<ValueType> inputs) {
    Expect.count(this, inputs, 2);
    Shape x = Expect.matrix(this, inputs, 0);
    Expect.f32(this, inputs, 1, x.dim(1));
    return List.of(inputs.get(0), ValueType.f32(x.dim(0)));
  }

  @Override
  public void gradient(GraphBuilder builder, Node node, Tape tape) {
    NormGradient.rms(builder, node, tape, NormGradient.PLAIN);
  }
}
