package dev.kindling.kernels.graph.op;

import dev.kindling.kernels.graph.GraphBuilder;
import dev.kindling.kernels.graph.Node;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.ValueType;
import java.util.List;

/** Matrices [T, width] side by side, left to right. Gradient: {@link SplitColumns}. */
public record ConcatColumns() implements Op {
  @Override
  public List<ValueType> infer(List<ValueType> inputs) {
    Expect.atLeast(this, inputs, 1);
    int tokens = Expect.matrix(this, inputs, 0).dim(0);
    int width = 0;
    for (int i = 0; i < inputs.size(); i++) {
      int columns = Expect.matrix(this, inputs, i).dim(1);
      Expect.f32(this, inputs, i, tokens, columns);
      width += columns;
    }
    return List.of(ValueType.f32(tokens, width));
  }

  @Override
  public void gradient(GraphBuilder builder, Node node, Tape tape) {
    Value dy = tape.upstream(0);
    if (dy == null) {
      return;
    }
    List<Integer> widths = node.inputs().stream().map(input -> input.shape().dim(1)).toList();
    List<Value> pieces = builder.add(new SplitColumns(widths), dy);
    for (int i = 0; i < pieces.size(); i++) {
      if (tape.wants(i)) {
        tape.deliver(i, pieces.get(i));
      }
    }
  }
}
