package dev.kindling.kernels.graph.op;

import dev.kindling.kernels.graph.Axis;
import dev.kindling.kernels.graph.GraphBuilder;
import dev.kindling.kernels.graph.Node;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.ValueType;
import java.util.List;

/**
 * y_i = sum of x_i over the ranks of an axis, the same bits on all of them. Any number of inputs of
 * any shape, fp32. The backend merges outputs that lie side by side, so a whole gradient arena is
 * one call.
 *
 * <p>Gradient: dx_i = the all-reduce of dy_i.
 *
 * @param inPlace output i aliases input i
 */
public record AllReduce(Axis axis, boolean inPlace) implements Op, Collective {
  /** In place: what complete gradients want. */
  public AllReduce(Axis axis) {
    this(axis, true);
  }

  @Override
  public List<ValueType> infer(List<ValueType> inputs) {
    Expect.atLeast(this, inputs, 1);
    for (int i = 0; i < inputs.size(); i++) {
      Expect.f32(this, inputs, i);
    }
    return inputs;
  }

  @Override
  public int alias(int output) {
    return inPlace ? output : OWN_MEMORY;
  }

  @Override
  public boolean mayReuse(int output, int input) {
    return output == input;
  }

  /** Every byte once to be reduced and once to be told. */
  @Override
  public long sentBytes(List<ValueType> inputs, int degree) {
    return 2 * inputs.stream().mapToLong(ValueType::bytes).sum() * (degree - 1) / degree;
  }

  @Override
  public void gradient(GraphBuilder builder, Node node, Tape tape) {
    for (int i = 0; i < node.inputs().size(); i++) {
      Value dy = tape.upstream(i);
      if (dy != null && tape.wants(i)) {
        tape.deliver(i, builder.add(new AllReduce(axis, false), dy).get(0));
      }
    }
  }
}
