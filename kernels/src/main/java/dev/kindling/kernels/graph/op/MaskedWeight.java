package dev.kindling.kernels.graph.op;

import dev.kindling.kernels.graph.GraphBuilder;
import dev.kindling.kernels.graph.Node;
import dev.kindling.kernels.graph.Shape;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.ValueType;
import java.util.List;

/**
 * V = W + scale * M (.) (B A) with M = (W != 0): a pruned weight with a low-rank branch that leaves
 * its zeros zero. W [N, K] or [K, N] by layout, A [r, K], B [N, r] -> V [N, K] whatever the layout,
 * fp32. Sums over r in fp32 in the order of r, each element by itself: bit-reproducible.
 *
 * <p>Gradient: G = M (.) dV, {@link MaskedGradient}; dA += scale * B^T G, dB += scale * G A^T. W is
 * a constant, as the mask is. G is as large as W, so this costs more than a branch beside a
 * product; V is computed again wherever backward reads it ({@code Recompute}), never kept.
 *
 * <p>After Zimmer et al. 2023 (PERP, 2312.15230), MaskLoRA.
 */
public record MaskedWeight(WeightLayout layout, float scale) implements Op {
  @Override
  public List<ValueType> infer(List<ValueType> inputs) {
    Expect.count(this, inputs, 3);
    Shape weight = Expect.matrix(this, inputs, 0);
    int rank = Expect.matrix(this, inputs, 1).dim(0);
    Expect.f32(this, inputs, 1, rank, layout.in(weight));
    Expect.f32(this, inputs, 2, layout.out(weight), rank);
    return List.of(ValueType.f32(layout.out(weight), layout.in(weight)));
  }

  @Override
  public long flops(List<ValueType> inputs) {
    return 2 * inputs.get(0).shape().elements() * inputs.get(1).shape().dim(0);
  }

  @Override
  public void gradient(GraphBuilder builder, Node node, Tape tape) {
    Value dv = tape.upstream(0);
    if (dv == null || !(tape.wants(1) || tape.wants(2))) {
      return;
    }
    Value g = builder.add(new MaskedGradient(layout, scale), dv, node.input(0)).get(0);
    if (tape.wants(1)) {
      tape.accumulate(
          1, adds -> new LinearWeightGradient(WeightLayout.OUT_IN, adds), g, node.input(2));
    }
    if (tape.wants(2)) {
      tape.accumulate(
          2,
          adds -> adds ? new LinearOnto() : new Linear(WeightLayout.OUT_IN, false),
          g,
          node.input(1));
    }
  }
}
