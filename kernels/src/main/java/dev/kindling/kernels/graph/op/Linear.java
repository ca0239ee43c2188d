package dev.kindling.kernels.graph.op;

import dev.kindling.kernels.graph.Columns;
import dev.kindling.kernels.graph.DType;
import dev.kindling.kernels.graph.GraphBuilder;
import dev.kindling.kernels.graph.Node;
import dev.kindling.kernels.graph.Shape;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.ValueType;
import java.util.List;

/**
 * y = x W^T (+ bias). x [T, K], W [N, K] or [K, N] by layout, bias [N] -> y [T, N], fp32.
 *
 * <p>Gradient: dx = dy W; dW += dy^T x, straight into the gradient variable; dbias += column sums
 * of dy. A {@code Columns} demand gathers those columns of x and multiplies only them, so that
 * backward keeps the gathered columns instead of x.
 */
public record Linear(WeightLayout layout, boolean bias) implements Op {
  @Override
  public List<ValueType> infer(List<ValueType> inputs) {
    Expect.count(this, inputs, bias ? 3 : 2);
    Shape x = Expect.matrix(this, inputs, 0);
    Shape weight = Expect.matrix(this, inputs, 1);
    int out = layout.out(weight);
    Expect.f32(
        this, inputs, 1, layout.shape(out, x.dim(1)).dims().stream().mapToInt(d -> d).toArray());
    if (bias) {
      Expect.f32(this, inputs, 2, out);
    }
    return List.of(ValueType.f32(x.dim(0), out));
  }

  @Override
  public long flops(List<ValueType> inputs) {
    return 2 * inputs.get(0).shape().elements() * layout.out(inputs.get(1).shape());
  }

  @Override
  public void gradient(GraphBuilder builder, Node node, Tape tape) {
    Value dy = tape.upstream(0);
    if (dy == null) {
      return;
    }
    Value x = node.input(0);
    // Such a weight is written again for dx; its gradient, one more matrix, waits until that died.
    boolean written = isWritten(builder, node.input(1));
    if (written && tape.wants(0)) {
      tape.accumulate(0, adds -> new LinearInputGradient(layout, adds), dy, node.input(1));
    }
    if (tape.wants(1)) {
      Value features = x;
      if (tape.demand(1) instanceof Columns columns) {
        features = builder.add(new GatherColumns(columns), x).get(0);
      }
      tape.accumulate(1, adds -> new LinearWeightGradient(layout, adds), features, dy);
    }
    if (bias && tape.wants(2)) {
      tape.accumulate(2, adds -> new BiasGradient(adds), dy);
    }
    if (!written && tape.wants(0)) {
      tape.accumulate(0, adds -> new LinearInputGradient(layout, adds), dy, node.input(1));
    }
  }

  private static boolean isWritten(GraphBuilder builder, Value weight) {
    return builder.nodes().stream()
        .anyMatch(node -> node.op() instanceof MaskedWeight && node.output(0).equals(weight));
  }

  static ValueType type(Shape shape) {
    return new ValueType(shape, DType.F32);
  }
}
