package dev.kindling.kernels.graph.op;

import dev.kindling.kernels.graph.GraphBuilder;
import dev.kindling.kernels.graph.Node;
import dev.kindling.kernels.graph.Shape;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.ValueType;
import java.util.List;
import java.util.Optional;

/**
 * y += x W^T, in place: the branch of an adapter adds to what the base wrote, without a temporary
 * [T, N]. x [T, K], W [N, K], y [T, N], fp32; output 0 aliases y.
 *
 * <p>Gradient: dy to y; dx = dy W; dW += dy^T x. Keeps x.
 *
 * @param over x W^T lies over y, whose content is not read: where this is the first sum into a
 *     gradient; no gradient of its own
 */
public record LinearOnto(boolean over) implements Op {
  private static final WeightLayout LAYOUT = WeightLayout.OUT_IN;

  public LinearOnto() {
    this(false);
  }

  @Override
  public Optional<Op> over(int input) {
    return !over && input == 2 ? Optional.of(new LinearOnto(true)) : Optional.empty();
  }

  @Override
  public List<ValueType> infer(List<ValueType> inputs) {
    Expect.count(this, inputs, 3);
    Shape x = Expect.matrix(this, inputs, 0);
    int out = Expect.matrix(this, inputs, 2).dim(1);
    Expect.f32(this, inputs, 1, out, x.dim(1));
    Expect.f32(this, inputs, 2, x.dim(0), out);
    return List.of(inputs.get(2));
  }

  @Override
  public long flops(List<ValueType> inputs) {
    return 2 * inputs.get(0).shape().elements() * inputs.get(1).shape().dim(0);
  }

  @Override
  public long bytes(List<ValueType> inputs) {
    return Op.super.bytes(inputs) - (over ? inputs.get(2).bytes() : 0);
  }

  @Override
  public int alias(int output) {
    return 2;
  }

  @Override
  public void gradient(GraphBuilder builder, Node node, Tape tape) {
    Value dy = tape.upstream(0);
    if (dy == null) {
      return;
    }
    if (tape.wants(1)) {
      tape.accumulate(1, adds -> new LinearWeightGradient(LAYOUT, adds), node.input(0), dy);
    }
    if (tape.wants(0)) {
      tape.accumulate(0, adds -> new LinearInputGradient(LAYOUT, adds), dy, node.input(1));
    }
    if (tape.wants(2) && !over) {
      tape.pass(2, dy);
    }
  }
}
