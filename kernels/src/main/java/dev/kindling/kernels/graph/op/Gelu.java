package dev.kindling.kernels.graph.op;

import dev.kindling.kernels.graph.GraphBuilder;
import dev.kindling.kernels.graph.Node;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.ValueType;
import java.util.List;

/**
 * y = 0.5 x (1 + tanh(c (x + 0.044715 x^3))), c = sqrt(2 / pi), fp32. After Hendrycks 2016
 * (1606.08415).
 */
public record Gelu() implements Op {
  @Override
  public List<ValueType> infer(List<ValueType> inputs) {
    Expect.count(this, inputs, 1);
    Expect.f32(this, inputs, 0);
    return inputs;
  }

  @Override
  public boolean mayReuse(int output, int input) {
    return true;
  }

  @Override
  public void gradient(GraphBuilder builder, Node node, Tape tape) {
    Value dy = tape.upstream(0);
    if (dy != null && tape.wants(0)) {
      tape.deliver(0, builder.add(new GeluGradient(), node.input(0), dy).get(0));
    }
  }
}
