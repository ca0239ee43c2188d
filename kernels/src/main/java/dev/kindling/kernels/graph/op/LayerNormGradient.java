package dev.kindling.kernels.graph.op;

import dev.kindling.kernels.graph.Shape;
import dev.kindling.kernels.graph.ValueType;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * Gradient of {@link LayerNorm} in one pass. Inputs x [T, D], g [D], moments [T, 2], dy [T, D],
 * then ds [T, D] if {@code residual} (added to dx), then the accumulators [D] of gain and bias if
 * they go into variables. Outputs dx [T, D], then dg [D] and db [D] unless NONE.
 */
public record LayerNormGradient(boolean residual, Accumulation gain, Accumulation bias)
    implements Op {
  @Override
  public List<ValueType> infer(List<ValueType> inputs) {
    int fixed = 4 + (residual ? 1 : 0);
    int accumulators = into(gain) + into(bias);
    Expect.count(this, inputs, fixed + accumulators);
    Shape x = Expect.matrix(this, inputs, 0);
    Expect.f32(this, inputs, 1, x.dim(1));
    Expect.f32(this, inputs, 2, x.dim(0), 2);
    Expect.same(this, 3, inputs.get(0), inputs.get(3));
    if (residual) {
      Expect.same(this, 4, inputs.get(0), inputs.get(4));
    }
    for (int i = 0; i < accumulators; i++) {
      Expect.f32(this, inputs, fixed + i, x.dim(1));
    }
    List<ValueType> outputs = new ArrayList<>(List.of(inputs.get(0)));
    if (gain != Accumulation.NONE) {
      outputs.add(inputs.get(1));
    }
    if (bias != Accumulation.NONE) {
      outputs.add(inputs.get(1));
    }
    return outputs;
  }

  private static int into(Accumulation mode) {
    return mode.isInPlace() ? 1 : 0;
  }

  @Override
  public Optional<Op> over(int input) {
    if (gain == Accumulation.INTO_VARIABLE && input == alias(1)) {
      return Optional.of(new LayerNormGradient(residual, Accumulation.OVER_VARIABLE, bias));
    }
    return bias == Accumulation.INTO_VARIABLE && input == alias(biasOutput())
        ? Optional.of(new LayerNormGradient(residual, gain, Accumulation.OVER_VARIABLE))
        : Optional.empty();
  }

  /** Output index of the bias gradient. */
  public int biasOutput() {
    return gain == Accumulation.NONE ? 1 : 2;
  }

  @Override
  public int alias(int output) {
    int fixed = 4 + (residual ? 1 : 0);
    if (output == 1 && gain.isInPlace()) {
      return fixed;
    }
    if (output > 0 && output == biasOutput() && bias.isInPlace()) {
      return fixed + into(gain);
    }
    return OWN_MEMORY;
  }

  @Override
  public boolean mayReuse(int output, int input) {
    return output == 0 && input == (residual ? 4 : 3);
  }
}
