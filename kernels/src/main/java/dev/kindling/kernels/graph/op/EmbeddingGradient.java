package dev.kindling.kernels.graph.op;

import dev.kindling.kernels.graph.Shape;
import dev.kindling.kernels.graph.ValueType;
import java.util.List;
import java.util.Optional;

/**
 * table[ids[t]] += dy[t], t ascending. dy [T, D], ids I32 [T] -> [rows, D] (+ accumulator,
 * aliased).
 *
 * @param over the table lies over a third input, whose content is not read; not with {@code
 *     accumulate}
 */
public record EmbeddingGradient(int rows, boolean accumulate, boolean over) implements Op {
  public EmbeddingGradient(int rows, boolean accumulate) {
    this(rows, accumulate, false);
  }

  @Override
  public Optional<Op> over(int input) {
    return accumulate && input == 2
        ? Optional.of(new EmbeddingGradient(rows, false, true))
        : Optional.empty();
  }

  private boolean inPlace() {
    return accumulate || over;
  }

  @Override
  public List<ValueType> infer(List<ValueType> inputs) {
    Expect.count(this, inputs, inPlace() ? 3 : 2);
    Shape dy = Expect.matrix(this, inputs, 0);
    Expect.i32(this, inputs, 1, dy.dim(0));
    if (inPlace()) {
      Expect.f32(this, inputs, 2, rows, dy.dim(1));
    }
    return List.of(ValueType.f32(rows, dy.dim(1)));
  }

  /**
   * Each token reads its gradient and its row and writes the row; a fresh table is cleared first.
   */
  @Override
  public long bytes(List<ValueType> inputs) {
    long cleared = accumulate ? 0 : infer(inputs).get(0).bytes();
    return 3 * inputs.get(0).bytes() + inputs.get(1).bytes() + cleared;
  }

  @Override
  public int alias(int output) {
    return inPlace() ? 2 : OWN_MEMORY;
  }
}
