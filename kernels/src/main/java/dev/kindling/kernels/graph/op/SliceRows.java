package dev.kindling.kernels.graph.op;

import dev.kindling.kernels.graph.ValueType;
import java.util.List;

/**
 * Rows [from, from + count) of x [T, ...], any element type -> [count, ...]. A device may make it a
 * view. The chunks of a loss are cut after differentiation, so it has no gradient.
 */
public record SliceRows(int from, int count) implements Op {
  @Override
  public List<ValueType> infer(List<ValueType> inputs) {
    Expect.count(this, inputs, 1);
    ValueType x = Expect.rows(this, inputs, 0);
    boolean inside = from >= 0 && count > 0 && (long) from + count <= x.shape().dim(0);
    Expect.that(inside, this, "rows must lie in " + x);
    return List.of(new ValueType(x.shape().withDim0(count), x.dtype()));
  }

  @Override
  public long bytes(List<ValueType> inputs) {
    return 2 * infer(inputs).get(0).bytes();
  }
}
