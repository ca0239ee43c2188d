package dev.kindling.kernels.graph.op;

import dev.kindling.kernels.graph.Channels;
import dev.kindling.kernels.graph.StepScalar;
import dev.kindling.kernels.graph.ValueType;
import java.util.List;
import java.util.Optional;

/**
 * Moves a matrix along its gradient, by a factor per channel or one for all. Inputs param, gradient
 * (see {@link Channels#kept}), factors [n] and sums [3] of {@link SketchMoments}, norm [1] if the
 * growth is limited, scale [1], step block -> param and norm over theirs.
 *
 * <pre>
 * f_j = factors[j] or |R~| / (|R| + 1e-8);  U_j = f_j scale G_j
 * L = max(|U| / (norm + 1e-8), growth) / growth, 1 where norm is 0;  norm = |U| / L
 * p = (p - lr sqrt(c2) / c1 alpha U / L) (1 - lr weightDecay)
 * </pre>
 *
 * <p>lr, c1, c2 are those of the step block. With {@code front} alpha is part of the norm. A scale
 * of 0 leaves everything unchanged. fp32, the common multiplier in fp64. After Zhu et al. 2025
 * (2412.05270), sections 4 and 5; the limiter is that of Chen et al. 2024 (Fira, 2410.01623). A
 * norm of 0, after a step without gradient, limits nothing: the published code would let the update
 * grow from nothing at this rate.
 *
 * @param growth largest ratio of successive norms, 0 for no limit
 * @param roundingKey the parameter, whole, holds numbers of {@link
 *     dev.kindling.kernels.random.Int8Grid} alone: the update goes to new grids, element i in step
 *     t rounded by the random number of {@link dev.kindling.kernels.random.StochasticRounding} with
 *     this key. A GPU stores such a parameter in its codes; the CPU keeps fp32 with the same values
 */
public record ScaledUpdate(
    Channels channels,
    boolean perChannel,
    float alpha,
    boolean front,
    float growth,
    float weightDecay,
    Optional<Long> roundingKey)
    implements Op {

  /** Of a parameter in fp32. */
  public ScaledUpdate(
      Channels channels,
      boolean perChannel,
      float alpha,
      boolean front,
      float growth,
      float weightDecay) {
    this(channels, perChannel, alpha, front, growth, weightDecay, Optional.empty());
  }

  /** Whether the growth of the norm is limited, so that the last norm is an input. */
  public boolean limits() {
    return growth > 0;
  }

  @Override
  public List<ValueType> infer(List<ValueType> inputs) {
    Expect.count(this, inputs, limits() ? 7 : 6);
    Expect.that(
        roundingKey.isEmpty() || channels.pieces() == 1,
        this,
        "expected a whole matrix where it is rounded, found " + channels.pieces() + " pieces");
    Expect.same(this, 0, channels.kept(), inputs.get(0));
    Expect.same(this, 1, inputs.get(0), inputs.get(1));
    Expect.f32(this, inputs, 2, channels.own());
    Expect.f32(this, inputs, 3, SketchMoments.SUMS);
    if (limits()) {
      Expect.f32(this, inputs, 4, 1);
    }
    Expect.f32(this, inputs, inputs.size() - 2, 1);
    Expect.f32(this, inputs, inputs.size() - 1, StepScalar.values().length);
    return limits() ? List.of(inputs.get(0), inputs.get(4)) : List.of(inputs.get(0));
  }

  @Override
  public int alias(int output) {
    return output == 0 ? 0 : 4;
  }
}
