package dev.kindling.kernels.graph.op;

import dev.kindling.kernels.graph.Columns;
import dev.kindling.kernels.graph.GraphBuilder;
import dev.kindling.kernels.graph.Node;
import dev.kindling.kernels.graph.Shape;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.ValueType;
import java.util.List;

/**
 * Writes chosen input features of a linear weight, in place: W[:, I] = base + scale * delta. Inputs
 * base and delta in the shape of the columns ([N, r] or [r, N] by layout), then W ([N, K] or [K,
 * N]); output 0 aliases W, whose other columns are neither read nor written. One rounding where W
 * is stored narrow.
 *
 * <p>Gradient, where W is frozen and the products that read the output are differentiated: ddelta =
 * scale * dW[:, I], of which {@link Linear} computes the columns alone (see {@link Tape#demand}).
 * After Kim et al. 2025 (PaCA, 2503.01905), section 3, in the form of a delta to columns that are
 * kept.
 */
public record ScatterColumns(WeightLayout layout, Columns columns, float scale) implements Op {
  @Override
  public List<ValueType> infer(List<ValueType> inputs) {
    Expect.count(this, inputs, 3);
    Shape weight = Expect.matrix(this, inputs, 2);
    for (int index : columns.indices()) {
      Expect.that(index < layout.in(weight), this, "column " + index + " of " + weight);
    }
    ValueType narrow = Linear.type(layout.columns(weight, columns));
    Expect.same(this, 0, narrow, inputs.get(0));
    Expect.same(this, 1, narrow, inputs.get(1));
    return List.of(inputs.get(2));
  }

  @Override
  public long bytes(List<ValueType> inputs) {
    return 3 * inputs.get(0).bytes();
  }

  @Override
  public int alias(int output) {
    return 2;
  }

  @Override
  public void gradient(GraphBuilder builder, Node node, Tape tape) {
    Value columns = tape.upstream(0);
    if (columns == null) {
      return;
    }
    Expect.that(!tape.wants(0) && !tape.wants(2), this, "base and weight must be frozen");
    Expect.same(this, 1, node.input(1).type(), columns.type());
    tape.deliver(1, scale == 1f ? columns : builder.add(new Scale(scale), columns).get(0));
  }
}
