package dev.kindling.kernels.graph.op;

import dev.kindling.kernels.graph.ValueType;
import java.util.List;

/**
 * Pieces [T, ...] that differ in T alone, below each other -> [sum of T, ...]. A device may make it
 * a view. The chunks of a loss are joined after differentiation, so it has no gradient.
 */
public record ConcatRows() implements Op {
  @Override
  public List<ValueType> infer(List<ValueType> inputs) {
    Expect.atLeast(this, inputs, 1);
    ValueType first = Expect.rows(this, inputs, 0);
    int rows = 0;
    for (int i = 0; i < inputs.size(); i++) {
      int own = Expect.rows(this, inputs, i).shape().dim(0);
      Expect.same(
          this, i, new ValueType(first.shape().withDim0(own), first.dtype()), inputs.get(i));
      rows += own;
    }
    return List.of(new ValueType(first.shape().withDim0(rows), first.dtype()));
  }
}
