package dev.kindling.kernels.graph.op;

import dev.kindling.kernels.graph.ValueType;
import java.util.List;

/**
 * Adam's moments of a {@link Sketch}, and how far they stretch each channel of the gradient. Inputs
 * sketch [n, r], squares [n], m, v [n, r], scale [1] -> m, v over theirs, factors [n], sums [3].
 *
 * <pre>
 * R = scale / sqrt(r) sketch;  m = lerp(R, m, beta1);  v = lerp(R^2, v, beta2)
 * R~ = m / (sqrt(v) + eps);  factors[j] = |R~_j| / (|R_j| + 1e-8)
 * sums = ( |R~|^2 / copies, |R|^2 / copies, scale^2 sum over j of w_j squares[j] )
 * </pre>
 *
 * <p>w_j is factors[j]^2 if each channel has a factor of its own, else 1. A scale of 0 leaves m and
 * v unchanged and makes the rest 0. fp32; sums in fp64. After Zhu et al. 2025 (2412.05270),
 * algorithm 1 and the published code's moments without bias correction.
 *
 * @param perChannel whether each channel is stretched by its own factor
 * @param copies ranks with the same sketch, whose sums are added up
 */
public record SketchMoments(float beta1, float beta2, float eps, boolean perChannel, int copies)
    implements Op {
  /** Sums that leave: of the sketch after and before the moments, and of the gradient. */
  public static final int SUMS = 3;

  /** Keeps a channel without gradient finite. */
  public static final float TINY = 1e-8f;

  @Override
  public List<ValueType> infer(List<ValueType> inputs) {
    Expect.count(this, inputs, 5);
    int channels = Expect.matrix(this, inputs, 0).dim(0);
    Expect.f32(this, inputs, 1, channels);
    Expect.same(this, 2, inputs.get(0), inputs.get(2));
    Expect.same(this, 3, inputs.get(0), inputs.get(3));
    Expect.f32(this, inputs, 4, 1);
    return List.of(inputs.get(2), inputs.get(3), ValueType.f32(channels), ValueType.f32(SUMS));
  }

  @Override
  public int alias(int output) {
    return output < 2 ? output + 2 : OWN_MEMORY;
  }
}
