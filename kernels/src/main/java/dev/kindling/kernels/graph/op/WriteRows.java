package dev.kindling.kernels.graph.op;

import dev.kindling.kernels.graph.Shape;
import dev.kindling.kernels.graph.ValueType;
import java.util.List;

/**
 * table[places[t]] = x[t], in place: how keys and values come into their cache. x [T, D], table [R,
 * D], places I32 [T] -> table. A place of {@link CrossEntropy#IGNORED} is left out; another outside
 * [0, R) is an InputException when the node runs. No place may be named twice. Moves fp32 bits.
 */
public record WriteRows() implements Op {
  @Override
  public List<ValueType> infer(List<ValueType> inputs) {
    Expect.count(this, inputs, 3);
    Shape x = Expect.matrix(this, inputs, 0);
    Shape table = Expect.matrix(this, inputs, 1);
    Expect.that(x.dim(1) == table.dim(1), this, "rows of " + x + " and " + table + " differ");
    Expect.i32(this, inputs, 2, x.dim(0));
    return List.of(inputs.get(1));
  }

  @Override
  public long bytes(List<ValueType> inputs) {
    return 2 * inputs.get(0).bytes() + inputs.get(2).bytes();
  }

  @Override
  public int alias(int output) {
    return 1;
  }
}
