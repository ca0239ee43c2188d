package dev.kindling.kernels.graph.op;

import dev.kindling.kernels.graph.Shape;
import dev.kindling.kernels.graph.ValueType;
import java.util.List;
import java.util.Optional;

/**
 * Column sums of dy [T, N] -> [N] (+ accumulator, which the output then aliases). Fixed order over
 * T.
 *
 * @param over the sums lie over a second input, whose content is not read; not with {@code
 *     accumulate}
 */
public record BiasGradient(boolean accumulate, boolean over) implements Op {
  public BiasGradient(boolean accumulate) {
    this(accumulate, false);
  }

  @Override
  public Optional<Op> over(int input) {
    return accumulate && input == 1 ? Optional.of(new BiasGradient(false, true)) : Optional.empty();
  }

  private boolean inPlace() {
    return accumulate || over;
  }

  @Override
  public List<ValueType> infer(List<ValueType> inputs) {
    Expect.count(this, inputs, inPlace() ? 2 : 1);
    Shape dy = Expect.matrix(this, inputs, 0);
    if (inPlace()) {
      Expect.f32(this, inputs, 1, dy.dim(1));
    }
    return List.of(ValueType.f32(dy.dim(1)));
  }

  @Override
  public int alias(int output) {
    return inPlace() ? 1 : OWN_MEMORY;
  }
}
