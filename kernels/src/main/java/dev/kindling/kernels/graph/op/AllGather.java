package dev.kindling.kernels.graph.op;

import dev.kindling.kernels.graph.Axis;
import dev.kindling.kernels.graph.GraphBuilder;
import dev.kindling.kernels.graph.Node;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.ValueType;
import java.util.List;

/**
 * y = the shards of all ranks below each other in rank order. x [R, ...] -> y [degree * R, ...],
 * any dtype. Sharded parameters become whole before their first use.
 *
 * <p>Gradient: dx = {@link ReduceScatter} of dy.
 *
 * @param degree ranks of the axis; a backend refuses a communicator of another size
 * @param into a second input [degree * R, ...] is written over and aliased by the output: updated
 *     shards go straight into the variable that holds the whole parameter
 */
public record AllGather(Axis axis, int degree, boolean into) implements Op, Collective {
  public AllGather {
    Expect.degree(axis, degree);
  }

  @Override
  public List<ValueType> infer(List<ValueType> inputs) {
    Expect.count(this, inputs, into ? 2 : 1);
    ValueType shard = Expect.rows(this, inputs, 0);
    int rows = Math.multiplyExact(shard.shape().dim(0), degree);
    ValueType whole = new ValueType(shard.shape().withDim0(rows), shard.dtype());
    if (into) {
      Expect.same(this, 1, whole, inputs.get(1));
    }
    return List.of(whole);
  }

  /** The shard is read and the whole written; what was in {@code into} is not read. */
  @Override
  public long bytes(List<ValueType> inputs) {
    return (1L + degree) * inputs.get(0).bytes();
  }

  @Override
  public int alias(int output) {
    return into ? 1 : OWN_MEMORY;
  }

  @Override
  public long sentBytes(List<ValueType> inputs, int ranks) {
    return inputs.get(0).bytes() * (ranks - 1);
  }

  @Override
  public void gradient(GraphBuilder builder, Node node, Tape tape) {
    Value dy = tape.upstream(0);
    if (dy != null && tape.wants(0)) {
      tape.deliver(0, builder.add(new ReduceScatter(axis, degree), dy).get(0));
    }
  }
}
