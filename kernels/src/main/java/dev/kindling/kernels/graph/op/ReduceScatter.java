package dev.kindling.kernels.graph.op;

import dev.kindling.kernels.graph.Axis;
import dev.kindling.kernels.graph.GraphBuilder;
import dev.kindling.kernels.graph.Node;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.ValueType;
import java.util.List;

/**
 * y = this rank's shard of the sum of x over the ranks. x [degree * R, ...] -> y [R, ...], fp32; a
 * dimension 0 that is no multiple of the degree is refused. Gradients go to the rank that updates
 * them.
 *
 * <p>Gradient: dx = {@link AllGather} of dy.
 *
 * @param degree ranks of the axis; a backend refuses a communicator of another size
 */
public record ReduceScatter(Axis axis, int degree) implements Op, Collective {
  public ReduceScatter {
    Expect.degree(axis, degree);
  }

  @Override
  public List<ValueType> infer(List<ValueType> inputs) {
    Expect.count(this, inputs, 1);
    Expect.f32(this, inputs, 0);
    int rows = Expect.shards(this, inputs, 0, degree);
    ValueType whole = inputs.get(0);
    return List.of(new ValueType(whole.shape().withDim0(rows), whole.dtype()));
  }

  @Override
  public long sentBytes(List<ValueType> inputs, int ranks) {
    return inputs.get(0).bytes() / ranks * (ranks - 1);
  }

  @Override
  public void gradient(GraphBuilder builder, Node node, Tape tape) {
    Value dy = tape.upstream(0);
    if (dy != null && tape.wants(0)) {
      tape.deliver(0, builder.add(new AllGather(axis, degree, false), dy).get(0));
    }
  }
}
