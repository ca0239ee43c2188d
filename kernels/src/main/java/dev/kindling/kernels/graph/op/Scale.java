package dev.kindling.kernels.graph.op;

import dev.kindling.kernels.graph.GraphBuilder;
import dev.kindling.kernels.graph.Node;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.ValueType;
import java.util.List;

/** y = factor * x, fp32 [T, D]. Gradient: dx = factor * dy. */
public record Scale(float factor) implements Op {
  @Override
  public List<ValueType> infer(List<ValueType> inputs) {
    Expect.count(this, inputs, 1);
    Expect.matrix(this, inputs, 0);
    return List.of(inputs.get(0));
  }

  @Override
  public boolean mayReuse(int output, int input) {
    return true;
  }

  @Override
  public void gradient(GraphBuilder builder, Node node, Tape tape) {
    Value dy = tape.upstream(0);
    if (dy != null && tape.wants(0)) {
      tape.deliver(0, builder.add(this, dy).get(0));
    }
  }
}
