package dev.kindling.kernels.graph.op;

import dev.kindling.kernels.graph.Axis;
import dev.kindling.kernels.graph.Channels;
import dev.kindling.kernels.graph.StepScalar;
import dev.kindling.kernels.graph.ValueType;
import java.util.List;

/**
 * Random low-rank sketch of a gradient. Inputs gradient (see {@link Channels#kept}), step block ->
 * sketch [channels, rank], squares [channels].
 *
 * <pre>
 * sketch[j, k] = sum over i of P[i, k] G[j, i],   squares[j] = sum over i of G[j, i]^2
 * </pre>
 *
 * <p>j is a channel and i an index of the contracted dimension, whichever of rows and columns they
 * are. P is drawn anew in steps 1, 1 + interval, 1 + 2 interval, ... by {@link
 * dev.kindling.kernels.random.SketchNumbers}: standard normal numbers rounded to bf16, so that a
 * tensor core reads them as they are; nothing of it is stored. The factor 1 / sqrt(rank) is left to
 * {@link SketchMoments}. Where ranks keep pieces of the contracted dimension each takes its rows of
 * P, and the sum over the ranks is the sketch. Sums in fp32; a device with a narrow precision
 * rounds the gradient to bf16 first. After Zhu et al. 2025 (2412.05270), algorithm 1.
 *
 * @param rank numbers per channel that are left
 * @param key stream of P
 * @param interval steps with the same P
 * @param axis along which the pieces lie
 */
public record Sketch(Channels channels, int rank, long key, int interval, Axis axis) implements Op {
  @Override
  public List<ValueType> infer(List<ValueType> inputs) {
    Expect.count(this, inputs, 2);
    Expect.that(rank > 0 && interval > 0, this, "expected rank and interval above 0");
    Expect.same(this, 0, channels.kept(), inputs.get(0));
    Expect.f32(this, inputs, 1, StepScalar.values().length);
    return List.of(ValueType.f32(channels.own(), rank), ValueType.f32(channels.own()));
  }

  @Override
  public long flops(List<ValueType> inputs) {
    return 2L * rank * channels.own() * channels.contracted();
  }
}
