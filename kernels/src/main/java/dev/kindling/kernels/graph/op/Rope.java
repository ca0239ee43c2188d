package dev.kindling.kernels.graph.op;

import dev.kindling.kernels.graph.GraphBuilder;
import dev.kindling.kernels.graph.Node;
import dev.kindling.kernels.graph.RopeFrequencies;
import dev.kindling.kernels.graph.Shape;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.ValueType;
import java.util.List;

/**
 * Rotary position embedding, half-split layout. x [T, H * C], positions I32 [T] -> [T, H * C]. For
 * i < C / 2 and angle a = position * frequency i: y[i] = x[i] cos a - x[i + C/2] sin a, y[i + C/2]
 * = x[i + C/2] cos a + x[i] sin a. Tables fp32, built in fp64. Gradient: the same with the angle
 * negated ({@code inverse}). Positions must lie in [0, limit), or [0, T) where the limit is 0:
 * others are an InputException when the node runs. After Su et al. 2021 (2104.09864), section 3.4.
 */
public record Rope(int headDim, RopeFrequencies frequencies, boolean inverse, int limit)
    implements Op {
  /** Frequencies theta^(-2i / C), and positions within a sequence that is here as a whole. */
  public Rope(int headDim, double theta, boolean inverse) {
    this(headDim, RopeFrequencies.of(theta), inverse);
  }

  /** Positions within a sequence that is here as a whole. */
  public Rope(int headDim, RopeFrequencies frequencies, boolean inverse) {
    this(headDim, frequencies, inverse, 0);
  }

  /** Number of positions that may occur among these tokens: rows of the table of angles. */
  public int positions(int tokens) {
    return limit == 0 ? tokens : limit;
  }

  @Override
  public List<ValueType> infer(List<ValueType> inputs) {
    Expect.count(this, inputs, 2);
    Shape x = Expect.matrix(this, inputs, 0);
    Expect.that(limit >= 0, this, "limit must be 0 or more");
    Expect.that(headDim > 0 && headDim % 2 == 0, this, "headDim must be even");
    Expect.that(x.dim(1) % headDim == 0, this, "width of " + x + " is no multiple of headDim");
    Expect.i32(this, inputs, 1, x.dim(0));
    return List.of(inputs.get(0));
  }

  @Override
  public boolean mayReuse(int output, int input) {
    return input == 0;
  }

  @Override
  public void gradient(GraphBuilder builder, Node node, Tape tape) {
    Value dy = tape.upstream(0);
    if (dy != null && tape.wants(0)) {
      Rope back = new Rope(headDim, frequencies, !inverse, limit);
      tape.deliver(0, builder.add(back, dy, node.input(1)).get(0));
    }
  }
}
