package dev.kindling.kernels.graph.op;

import dev.kindling.kernels.graph.Shape;
import dev.kindling.kernels.graph.ValueType;
import java.util.List;
import java.util.Optional;

/**
 * dW = dy^T x (+ accumulator, which dW then aliases). x [T, K], dy [T, N] -> [N, K] or [K, N] by
 * layout. One product with beta 1, no temporary.
 *
 * @param over dW lies over a third input, whose content is not read; not with {@code accumulate}
 */
public record LinearWeightGradient(WeightLayout layout, boolean accumulate, boolean over)
    implements Op {
  public LinearWeightGradient(WeightLayout layout, boolean accumulate) {
    this(layout, accumulate, false);
  }

  /** Whether dW lies where a third input lies. */
  public boolean inPlace() {
    return accumulate || over;
  }

  @Override
  public Optional<Op> over(int input) {
    return accumulate && input == 2
        ? Optional.of(new LinearWeightGradient(layout, false, true))
        : Optional.empty();
  }

  @Override
  public List<ValueType> infer(List<ValueType> inputs) {
    Expect.count(this, inputs, inPlace() ? 3 : 2);
    Shape x = Expect.matrix(this, inputs, 0);
    Shape dy = Expect.matrix(this, inputs, 1);
    Expect.that(x.dim(0) == dy.dim(0), this, "x " + x + " and dy " + dy + " differ in T");
    ValueType gradient = Linear.type(layout.shape(dy.dim(1), x.dim(1)));
    if (inPlace()) {
      Expect.same(this, 2, gradient, inputs.get(2));
    }
    return List.of(gradient);
  }

  @Override
  public long flops(List<ValueType> inputs) {
    return 2 * inputs.get(0).shape().elements() * inputs.get(1).shape().dim(1);
  }

  @Override
  public long bytes(List<ValueType> inputs) {
    return Op.super.bytes(inputs) - (over ? inputs.get(2).bytes() : 0);
  }

  @Override
  public int alias(int output) {
    return inPlace() ? 2 : OWN_MEMORY;
  }
}
