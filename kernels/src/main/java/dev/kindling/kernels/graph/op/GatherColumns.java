package dev.kindling.kernels.graph.op;

import dev.kindling.kernels.graph.Columns;
import dev.kindling.kernels.graph.Shape;
import dev.kindling.kernels.graph.ValueType;
import java.util.List;

/** Chosen columns of x [T, K] -> [T, columns]. The schedule runs it right after x is produced. */
public record GatherColumns(Columns columns) implements Op {
  @Override
  public List<ValueType> infer(List<ValueType> inputs) {
    Expect.count(this, inputs, 1);
    Shape x = Expect.matrix(this, inputs, 0);
    for (int index : columns.indices()) {
      Expect.that(index < x.dim(1), this, "column " + index + " of " + x);
    }
    return List.of(ValueType.f32(x.dim(0), columns.indices().size()));
  }

  @Override
  public long bytes(List<ValueType> inputs) {
    return 2 * infer(inputs).get(0).bytes();
  }
}
