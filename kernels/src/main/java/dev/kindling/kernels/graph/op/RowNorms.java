package dev.kindling.kernels.graph.op;

import dev.kindling.kernels.graph.Shape;
import dev.kindling.kernels.graph.ValueType;
import java.util.List;

/**
 * L2 norms of the output rows of W + scale * B A, without writing that matrix: W [N, K] or [K, N]
 * by layout, A [r, K], B [N, r] -> [N], fp32. Each row in fp32 in a fixed order.
 *
 * <p>Backward takes the norms as constants, as Liu et al. 2024 (DoRA, 2402.09353), section 4.3, do
 * to save memory: nothing flows from here into W, A or B.
 */
public record RowNorms(WeightLayout layout, float scale) implements Op {
  @Override
  public List<ValueType> infer(List<ValueType> inputs) {
    Expect.count(this, inputs, 3);
    Shape weight = Expect.matrix(this, inputs, 0);
    int rank = Expect.matrix(this, inputs, 1).dim(0);
    Expect.f32(this, inputs, 1, rank, layout.in(weight));
    Expect.f32(this, inputs, 2, layout.out(weight), rank);
    return List.of(ValueType.f32(layout.out(weight)));
  }

  @Override
  public long flops(List<ValueType> inputs) {
    return 2 * inputs.get(0).shape().elements() * inputs.get(1).shape().dim(0);
  }

  @Override
  public boolean detached() {
    return true;
  }
}
