package dev.kindling.kernels.graph.op;

import dev.kindling.kernels.graph.GraphBuilder;
import dev.kindling.kernels.graph.Node;
import dev.kindling.kernels.graph.Shape;
import dev.kindling.kernels.graph.ValueType;
import java.util.List;

/**
 * y = (x - mean) * r * g + b, r = 1 / sqrt(variance + eps), moments over D in fp32 with a fixed
 * lane fold. x [T, D], g [D], b [D] -> y [T, D], moments [T, 2] = (mean, r).
 *
 * <p>Saves the moments. Gradient: with h = g * dy and n = (x - mean) * r, dx = r * (h - mean(h) - n
 * * mean(h * n)); dg = sum dy * n, db = sum dy over T in fixed order. After Ba et al. 2016
 * (1607.06450).
 */
public record LayerNorm(float eps) implements Op {
  @Override
  public List<ValueType> infer(List<ValueType> inputs) {
    Expect.count(this, inputs, 3);
    Shape x = Expect.matrix(this, inputs, 0);
    Expect.f32(this, inputs, 1, x.dim(1));
    Expect.f32(this, inputs, 2, x.dim(1));
    return List.of(inputs.get(0), ValueType.f32(x.dim(0), 2));
  }

  @Override
  public void gradient(GraphBuilder builder, Node node, Tape tape) {
    NormGradient.layer(builder, node, tape, NormGradient.PLAIN);
  }
}
