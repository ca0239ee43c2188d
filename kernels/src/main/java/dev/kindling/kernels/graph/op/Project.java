package dev.kindling.kernels.graph.op;

import dev.kindling.kernels.graph.Channels;
import dev.kindling.kernels.graph.ValueType;
import java.util.List;

/**
 * A gradient in the coordinates of a basis. Inputs gradient [rows, columns], basis [m, r] -> [n,
 * r]: out[j, k] = sum over i of P[i, k] G[j, i], j along the longer side n and i along the shorter
 * one m as {@link Channels} has them. Sums in fp32; a device with a narrow precision rounds the
 * gradient to bf16 first. After Zhao et al. 2024 (2403.03507), equation 5.
 */
public record Project(Channels channels, int rank) implements Op {
  @Override
  public List<ValueType> infer(List<ValueType> inputs) {
    Expect.count(this, inputs, 2);
    Expect.that(channels.pieces() == 1, this, "expected a whole matrix");
    Expect.same(this, 0, channels.kept(), inputs.get(0));
    Expect.same(this, 1, ValueType.f32(channels.contracted(), rank), inputs.get(1));
    return List.of(ValueType.f32(channels.own(), rank));
  }

  @Override
  public long flops(List<ValueType> inputs) {
    return 2L * rank * channels.own() * channels.contracted();
  }
}
