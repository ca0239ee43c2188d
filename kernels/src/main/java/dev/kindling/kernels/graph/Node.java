package dev.kindling.kernels.graph;

import dev.kindling.kernels.graph.op.Op;
import java.util.List;

/** One operation applied to values. {@code index} is its place in execution order. */
public record Node(int index, Op op, List<Value> inputs, List<Value> outputs) {
  public Node {
    inputs = List.copyOf(inputs);
    outputs = List.copyOf(outputs);
  }

  public Value input(int i) {
    return inputs.get(i);
  }

  public Value output(int i) {
    return outputs.get(i);
  }

  public Node at(int newIndex) {
    return newIndex == index ? this : new Node(newIndex, op, inputs, outputs);
  }

  public List<ValueType> inputTypes() {
    return inputs.stream().map(Value::type).toList();
  }

  public long flops() {
    return op.flops(inputTypes());
  }

  public long bytes() {
    return op.bytes(inputTypes());
  }

  @Override
  public String toString() {
    StringBuilder text = new StringBuilder();
    for (Value output : outputs) {
      text.append(text.length() == 0 ? "" : ", ").append(output).append(' ').append(output.type());
    }
    return text + " = " + op + " " + inputs;
  }
}
