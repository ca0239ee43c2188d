package dev.kindling.kernels.graph.op;

import dev.kindling.kernels.graph.GraphBuilder;
import dev.kindling.kernels.graph.Node;
import dev.kindling.kernels.graph.Shape;
import dev.kindling.kernels.graph.ValueType;
import java.util.List;

/**
 * s = a + b; y = rmsNorm(s). a, b [T, D], g [D] -> s [T, D], y [T, D], r [T]. One pass instead of
 * two. Gradient: that of {@link RmsNorm} at s, plus ds, to both a and b as one value.
 */
public record ResidualRmsNorm(float eps) implements Op {
  @Override
  public List<ValueType> infer(List<ValueType> inputs) {
    Expect.count(this, inputs, 3);
    Shape x = Expect.matrix(this, inputs, 0);
    Expect.same(this, 1, inputs.get(0), inputs.get(1));
    Expect.f32(this, inputs, 2, x.dim(1));
    return List.of(inputs.get(0), inputs.get(0), ValueType.f32(x.dim(0)));
  }

  @Override
  public boolean mayReuse(int output, int input) {
    return output == 0 && input < 2;
  }

  @Override
  public void gradient(GraphBuilder builder, Node node, Tape tape) {
    NormGradient.rms(builder, node, tape, NormGradient.RESIDUAL);
  }
}
