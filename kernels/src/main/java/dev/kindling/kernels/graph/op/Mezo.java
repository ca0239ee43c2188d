package dev.kindling.kernels.graph.op;

import dev.kindling.kernels.graph.StepScalar;
import dev.kindling.kernels.graph.ValueType;
import java.util.List;
import java.util.Optional;

/**
 * One zeroth-order update in place. Inputs p, g [n], scale [1], with a mask threshold [1], step
 * block -> p over its own. p = (1 - lr decay) p - (lr / n) sum over j of g_j z_j, with the z_j of
 * {@link Perturb} for directions 0 to n - 1, one fused multiply-add each, in fp32. A scale of 0
 * leaves p unchanged. With a rounding key p has no fp32 master: the result is rounded to bf16 by
 * {@link dev.kindling.kernels.random.StochasticRounding} with that key and the step number. A
 * masked element, |p| above the threshold before the update, keeps its bits: it does not even
 * decay.
 *
 * <p>After Malladi et al. 2023 (2305.17333), algorithms 1 and 2; the mask after Liu et al. 2024
 * (2402.15751). A pure function of p, g, scale and step block, so a log of these replays a run.
 *
 * @param key stream of the parameter, the same as that of its {@link Perturb}
 */
public record Mezo(
    long key, int directions, float weightDecay, boolean masked, Optional<Long> roundingKey)
    implements Op {
  @Override
  public List<ValueType> infer(List<ValueType> inputs) {
    Expect.count(this, inputs, masked ? 5 : 4);
    Expect.f32(this, inputs, 0);
    Expect.f32(this, inputs, 1, directions);
    Expect.f32(this, inputs, 2, 1);
    if (masked) {
      Expect.f32(this, inputs, 3, 1);
    }
    Expect.f32(this, inputs, inputs.size() - 1, StepScalar.values().length);
    return List.of(inputs.get(0));
  }

  @Override
  public int alias(int output) {
    return 0;
  }
}
