package dev.kindling.kernels.graph.op;

import dev.kindling.kernels.graph.GraphBuilder;
import dev.kindling.kernels.graph.Node;
import dev.kindling.kernels.graph.Shape;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.ValueType;
import java.util.List;

/**
 * Rows of table [V, D] chosen by ids I32 [T] -> [T, D]. An id outside [0, V) is a DeviceException
 * when the node runs. Gradient: rows of dy added to the rows of the table's gradient, in order of
 * T.
 */
public record Embedding() implements Op {
  @Override
  public List<ValueType> infer(List<ValueType> inputs) {
    Expect.count(this, inputs, 2);
    Shape table = Expect.matrix(this, inputs, 0);
    int tokens = inputs.get(1).shape().dim(0);
    Expect.i32(this, inputs, 1, tokens);
    return List.of(ValueType.f32(tokens, table.dim(1)));
  }

  @Override
  public long bytes(List<ValueType> inputs) {
    return 2 * infer(inputs).get(0).bytes() + inputs.get(1).bytes();
  }

  @Override
  public void gradient(GraphBuilder builder, Node node, Tape tape) {
    Value dy = tape.upstream(0);
    if (dy != null && tape.wants(0)) {
      int rows = node.input(0).shape().dim(0);
      tape.accumulate(0, adds -> new EmbeddingGradient(rows, adds), dy, node.input(1));
    }
  }
}
