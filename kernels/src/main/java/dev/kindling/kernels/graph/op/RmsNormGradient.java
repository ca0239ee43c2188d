package dev.kindling.kernels.graph.op;

import dev.kindling.kernels.graph.ValueType;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * Gradient of {@link RmsNorm} in one pass. Inputs x [T, D], g [D] (or that of one head, [C], with r
 * [T * D / C]), r [T], dy [T, D], then ds [T, D] if {@code residual} (added to dx), then the gain's
 * accumulator, as g, if it goes into a variable. Outputs dx [T, D], then dg, as g, unless NONE.
 */
public record RmsNormGradient(boolean residual, Accumulation gain) implements Op {
  @Override
  public List<ValueType> infer(List<ValueType> inputs) {
    boolean into = gain.isInPlace();
    Expect.count(this, inputs, 4 + (residual ? 1 : 0) + (into ? 1 : 0));
    Expect.f32(this, inputs, 2, RmsNorm.rows(this, inputs));
    Expect.same(this, 3, inputs.get(0), inputs.get(3));
    if (residual) {
      Expect.same(this, 4, inputs.get(0), inputs.get(4));
    }
    if (into) {
      Expect.same(this, inputs.size() - 1, inputs.get(1), inputs.get(inputs.size() - 1));
    }
    List<ValueType> outputs = new ArrayList<>(List.of(inputs.get(0)));
    if (gain != Accumulation.NONE) {
      outputs.add(inputs.get(1));
    }
    return outputs;
  }

  @Override
  public Optional<Op> over(int input) {
    return gain == Accumulation.INTO_VARIABLE && input == alias(1)
        ? Optional.of(new RmsNormGradient(residual, Accumulation.OVER_VARIABLE))
        : Optional.empty();
  }

  @Override
  public int alias(int output) {
    return output == 1 && gain.isInPlace() ? (residual ? 5 : 4) : OWN_MEMORY;
  }

  @Override
  public boolean mayReuse(int output, int input) {
    return output == 0 && input == (residual ? 4 : 3);
  }
}
