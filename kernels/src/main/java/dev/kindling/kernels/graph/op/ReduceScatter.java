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
 * y = this rank's shard of the sum of x over the ranks. x [degree * R, ...] -> y [R, ...], fp32; a
 * dimension 0 that is no multiple of the degree is refused. Gradients go to the rank that updates
 * them.
 *
 * <p>Flat pieces are equal runs of the elements of x, row-major: x with n elements -> y [n /
 * degree].
 *
 * <p>Gradient: dx = {@link AllGather} of dy.
 *
 * @param degree ranks of the axis; a backend refuses a communicator of another size
 * @param flat whether the pieces are flat; else they are pieces of dimension 0
 */
public record ReduceScatter(Axis axis, int degree, boolean flat) implements Op, Collective {
  public ReduceScatter {
    Expect.degree(axis, degree);
  }

  /** Pieces of dimension 0. */
  public ReduceScatter(Axis axis, int degree) {
    this(axis, degree, false);
  }

  @Override
  public List<ValueType> infer(List<ValueType> inputs) {
    Expect.count(this, inputs, 1);
    Expect.f32(this, inputs, 0);
    if (flat) {
      Shape piece = Expect.flatPiece(this, inputs.get(0).shape(), degree);
      return List.of(new ValueType(piece, inputs.get(0).dtype()));
    }
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
      Optional<Shape> whole = flat ? Optional.of(node.input(0).shape()) : Optional.empty();
      tape.deliver(0, builder.add(new AllGather(axis, degree, false, whole), dy).get(0));
    }
  }
}
