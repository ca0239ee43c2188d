package dev.kindling.kernels.graph.op;

import dev.kindling.kernels.graph.Axis;
import dev.kindling.kernels.graph.GraphBuilder;
import dev.kindling.kernels.graph.Node;
import dev.kindling.kernels.graph.Shape;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.ValueType;
import java.util.List;
import java.util.Optional;

/**
 * y = the shards of all ranks below each other in rank order. x [R, ...] -> y [degree * R, ...],
 * any dtype. Sharded parameters become whole before their first use.
 *
 * <p>Flat pieces are equal runs of the elements of a whole of any shape, row-major: x [n / degree]
 * -> y of that shape with n elements. A matrix whose rows do not divide evenly is sharded so.
 *
 * <p>Gradient: dx = {@link ReduceScatter} of dy.
 *
 * @param degree ranks of the axis; a backend refuses a communicator of another size
 * @param into a second input [degree * R, ...] is written over and aliased by the output: updated
 *     shards go straight into the variable that holds the whole parameter
 * @param flat shape of the whole if the pieces are flat; absent: pieces of dimension 0
 */
public record AllGather(Axis axis, int degree, boolean into, Optional<Shape> flat)
    implements Op, Collective {
  public AllGather {
    Expect.degree(axis, degree);
  }

  /** Pieces of dimension 0. */
  public AllGather(Axis axis, int degree, boolean into) {
    this(axis, degree, into, Optional.empty());
  }

  @Override
  public List<ValueType> infer(List<ValueType> inputs) {
    Expect.count(this, inputs, into ? 2 : 1);
    ValueType shard = Expect.rows(this, inputs, 0);
    ValueType whole = flat.isPresent() ? joined(shard, flat.get()) : stacked(shard);
    if (into) {
      Expect.same(this, 1, whole, inputs.get(1));
    }
    return List.of(whole);
  }

  private ValueType stacked(ValueType shard) {
    int rows = Math.multiplyExact(shard.shape().dim(0), degree);
    return new ValueType(shard.shape().withDim0(rows), shard.dtype());
  }

  private ValueType joined(ValueType shard, Shape whole) {
    Expect.same(
        this, 0, new ValueType(Expect.flatPiece(this, whole, degree), shard.dtype()), shard);
    return new ValueType(whole, shard.dtype());
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
      tape.deliver(0, builder.add(new ReduceScatter(axis, degree, flat.isPresent()), dy).get(0));
    }
  }
}
