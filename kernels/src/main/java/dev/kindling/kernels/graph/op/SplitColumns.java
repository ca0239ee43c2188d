package dev.kindling.kernels.graph.op;

import dev.kindling.kernels.graph.GraphBuilder;
import dev.kindling.kernels.graph.Node;
import dev.kindling.kernels.graph.Shape;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.ValueType;
import java.util.List;

/** x [T, sum of widths] -> [T, width] each, left to right. Gradient: {@link ConcatColumns}. */
public record SplitColumns(List<Integer> widths) implements Op {
  public SplitColumns {
    widths = List.copyOf(widths);
  }

  @Override
  public List<ValueType> infer(List<ValueType> inputs) {
    Expect.count(this, inputs, 1);
    Shape x = Expect.matrix(this, inputs, 0);
    int sum = widths.stream().mapToInt(w -> w).sum();
    Expect.that(sum == x.dim(1), this, "widths of " + x + " must add up to its columns");
    return widths.stream().map(width -> ValueType.f32(x.dim(0), width)).toList();
  }

  @Override
  public void gradient(GraphBuilder builder, Node node, Tape tape) {
    if (!tape.wants(0)) {
      return;
    }
    Value[] pieces = new Value[widths.size()];
    for (int i = 0; i < pieces.length; i++) {
      Value piece = tape.upstream(i);
      Expect.that(piece != null, this, "output " + i + " takes no part in the loss");
      pieces[i] = java.util.Objects.requireNonNull(piece);
    }
    tape.deliver(0, builder.add(new ConcatColumns(), pieces).get(0));
  }
}
