package dev.kindling.kernels.graph.op;

import dev.kindling.kernels.graph.ValueType;
import java.util.List;

/**
 * L2 norm of all gradients, divided by tokenCount if {@code mean}. Inputs gradients..., then
 * tokenCount [1] if {@code mean} -> [1]. Squares are summed in fp64, fixed order.
 *
 * <p>A norm of norms is the norm of all: ranks that hold pieces take the norm of theirs, gather
 * them, and take the norm of those and of what every rank holds.
 */
public record GlobalNorm(boolean mean) implements Op {
  public GlobalNorm() {
    this(true);
  }

  /** How many of the inputs are gradients. */
  public int gradients(int inputs) {
    return mean ? inputs - 1 : inputs;
  }

  @Override
  public List<ValueType> infer(List<ValueType> inputs) {
    Expect.atLeast(this, inputs, mean ? 2 : 1);
    for (int i = 0; i < inputs.size(); i++) {
      Expect.f32(this, inputs, i);
    }
    if (mean) {
      Expect.f32(this, inputs, inputs.size() - 1, 1);
    }
    return List.of(ValueType.f32(1));
  }
}
