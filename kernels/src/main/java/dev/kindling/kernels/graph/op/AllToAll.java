package dev.kindling.kernels.graph.op;

import dev.kindling.kernels.graph.Axis;
import dev.kindling.kernels.graph.GraphBuilder;
import dev.kindling.kernels.graph.Node;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.ValueType;
import java.util.List;

/**
 * Piece i of x goes to rank i, piece i of y comes from rank i. x [degree * R, ...] -> y of the same
 * type, any dtype; a dimension 0 that is no multiple of the degree is refused. Slots of experts
 * travel to the ranks that hold the experts, experts outermost in x, and the same operation brings
 * them back.
 *
 * <p>Gradient: dx = the all-to-all of dy, its own inverse.
 *
 * @param degree ranks of the axis; a backend refuses a communicator of another size
 */
public record AllToAll(Axis axis, int degree) implements Op, Collective {
  public AllToAll {
    Expect.degree(axis, degree);
  }

  @Override
  public List<ValueType> infer(List<ValueType> inputs) {
    Expect.count(this, inputs, 1);
    Expect.shards(this, inputs, 0, degree);
    return inputs;
  }

  @Override
  public long sentBytes(List<ValueType> inputs, int ranks) {
    return inputs.get(0).bytes() / ranks * (ranks - 1);
  }

  @Override
  public void gradient(GraphBuilder builder, Node node, Tape tape) {
    Value dy = tape.upstream(0);
    if (dy != null && tape.wants(0)) {
      tape.deliver(0, builder.add(this, dy).get(0));
    }
  }
}
