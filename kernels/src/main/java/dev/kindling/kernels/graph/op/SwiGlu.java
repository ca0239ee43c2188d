package dev.kindling.kernels.graph.op;

import dev.kindling.kernels.graph.GraphBuilder;
import dev.kindling.kernels.graph.Node;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.ValueType;
import java.util.List;

/**
 * y = silu(gate) * up, all [T, F], fp32. Gradient, s = sigmoid(gate): dUp = dy * gate * s; dGate =
 * dy * up * s * (1 + gate * (1 - s)). After Shazeer 2020 (2002.05202).
 */
public record SwiGlu() implements Op {
  @Override
  public List<ValueType> infer(List<ValueType> inputs) {
    return List.of(Expect.elementwise(this, inputs, 2));
  }

  @Override
  public boolean mayReuse(int output, int input) {
    return true;
  }

  @Override
  public void gradient(GraphBuilder builder, Node node, Tape tape) {
    Value dy = tape.upstream(0);
    if (dy == null || !(tape.wants(0) || tape.wants(1))) {
      return;
    }
    List<Value> outputs = builder.add(new SwiGluGradient(), node.input(0), node.input(1), dy);
    for (int input = 0; input < 2; input++) {
      if (tape.wants(input)) {
        tape.deliver(input, outputs.get(input));
      }
    }
  }
}
