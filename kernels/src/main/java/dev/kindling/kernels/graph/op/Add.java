package dev.kindling.kernels.graph.op;

import dev.kindling.kernels.graph.GraphBuilder;
import dev.kindling.kernels.graph.Node;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.ValueType;
import java.util.List;

/** a + b, equal types, fp32. Gradient: dy to both. */
public record Add() implements Op {
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
    for (int input = 0; dy != null && input < 2; input++) {
      if (tape.wants(input)) {
        tape.pass(input, dy);
      }
    }
  }
}
