package dev.kindling.kernels.graph.op;

import dev.kindling.kernels.graph.Axis;
import dev.kindling.kernels.graph.GraphBuilder;
import dev.kindling.kernels.graph.Node;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.ValueType;
import java.util.List;

/**
 * What the root holds, on all ranks, in place: output i aliases input i. Any number of inputs of
 * any type. The backend merges inputs that lie side by side, so a whole parameter arena is one
 * call.
 *
 * <p>Gradient: dx_i = {@link Reduce} of dy_i, which is 0 on all ranks but the root, because what
 * they held has no influence.
 *
 * @param root coordinate along the axis; a backend refuses a communicator that has no such rank
 */
public record Broadcast(Axis axis, int root) implements Op, Collective {
  public Broadcast {
    Expect.root(axis, root);
  }

  @Override
  public List<ValueType> infer(List<ValueType> inputs) {
    Expect.atLeast(this, inputs, 1);
    return inputs;
  }

  @Override
  public int alias(int output) {
    return output;
  }

  @Override
  public long sentBytes(List<ValueType> inputs, int degree) {
    return inputs.stream().mapToLong(ValueType::bytes).sum() * (degree - 1) / degree;
  }

  @Override
  public void gradient(GraphBuilder builder, Node node, Tape tape) {
    for (int i = 0; i < node.inputs().size(); i++) {
      Value dy = tape.upstream(i);
      if (dy != null && tape.wants(i)) {
        tape.deliver(i, builder.add(new Reduce(axis, root), dy).get(0));
      }
    }
  }
}
