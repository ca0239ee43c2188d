package dev.kindling.kernels.graph.op;

import dev.kindling.kernels.graph.GraphBuilder;
import dev.kindling.kernels.graph.Node;
import dev.kindling.kernels.graph.Shape;
import dev.kindling.kernels.graph.ValueType;
import java.util.List;

/**
 * y = x * g / rms(x), rms over D in fp32 with a fixed lane fold, eps inside the root. x [T, D], g
 * [D] -> y [T, D], r = 1 / rms [T]. A shorter g [C], C a divisor of D, makes every run of C columns
 * a row of its own, H = D / C of them: r [T * H] (the norm of query and key heads, Henry et al.
 * 2020, 2010.04245).
 *
 * <p>Saves r. Gradient: with h = g * dy, dx = r * h - (r^3 / C) * sum(h * x) * x over each run; dg
 * = sum over T and H of dy * x * r, fixed order. After Zhang and Sennrich 2019 (1910.07467),
 * section 4.
 */
public record RmsNorm(float eps) implements Op {
  @Override
  public List<ValueType> infer(List<ValueType> inputs) {
    Expect.count(this, inputs, 2);
    return List.of(inputs.get(0), ValueType.f32(rows(this, inputs)));
  }

  /** Rows that are normalised: T, or T * H where the gain is that of one head. */
  static int rows(Op op, List<ValueType> inputs) {
    Shape x = Expect.matrix(op, inputs, 0);
    int width = Expect.vector(op, inputs, 1);
    Expect.that(x.dim(1) % width == 0, op, "width of " + x + " is no multiple of the gain's");
    return Math.multiplyExact(x.dim(0), x.dim(1) / width);
  }

  @Override
  public void gradient(GraphBuilder builder, Node node, Tape tape) {
    NormGradient.rms(builder, node, tape, NormGradient.PLAIN);
  }
}
