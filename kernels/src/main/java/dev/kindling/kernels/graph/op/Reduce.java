package dev.kindling.kernels.graph.op;

import dev.kindling.kernels.graph.Axis;
import dev.kindling.kernels.graph.ValueType;
import java.util.List;

/**
 * y = sum of x over the ranks on the root, 0 elsewhere: the gradient of {@link Broadcast}. x of any
 * shape -> y of the same type, fp32. Backends have no such call, so it costs an all-reduce; a
 * broadcast inside of what is differentiated is rare.
 *
 * @param root coordinate along the axis; a backend refuses a communicator that has no such rank
 */
public record Reduce(Axis axis, int root) implements Op, Collective {
  public Reduce {
    Expect.root(axis, root);
  }

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

  /** That of the all-reduce. */
  @Override
  public long sentBytes(List<ValueType> inputs, int degree) {
    return 2 * inputs.get(0).bytes() * (degree - 1) / degree;
  }
}
