package dev.kindling.kernels.graph.op;

import dev.kindling.kernels.graph.StepScalar;
import dev.kindling.kernels.graph.ValueType;
import java.util.List;

/**
 * A weight beside itself in both senses of a random direction: plus = p + eps z, minus = p - eps z.
 * Inputs p of any shape, with a mask threshold [1], step block -> plus, minus, of the type of p; p
 * stays as it is.
 *
 * <p>z is {@link dev.kindling.kernels.random.HalfwordNormal} of the key, the step number of the
 * step block and the direction: a function of the element's place in the whole weight, so nothing
 * is stored and every rank has the same. fp32 arithmetic, one fused multiply-add an element,
 * rounded to nearest where a device stores weights narrower; both outputs share one z and one read.
 * Bit-reproducible. The step number is exact up to 2^24.
 *
 * <p>No gradient: this is what takes its place (Malladi et al. 2023, 2305.17333, algorithm 1).
 *
 * @param key stream of the parameter; {@link dev.kindling.kernels.random.HalfwordNormal#key}
 * @param direction counts the directions of one step, from 0
 * @param masked z is 0 where |p| is above the threshold (Liu et al. 2024, 2402.15751): the mask
 *     comes from p as it is, and is never stored
 */
public record Perturb(long key, float eps, int direction, boolean masked) implements Op {
  @Override
  public List<ValueType> infer(List<ValueType> inputs) {
    Expect.count(this, inputs, masked ? 3 : 2);
    Expect.f32(this, inputs, 0);
    if (masked) {
      Expect.f32(this, inputs, 1, 1);
    }
    Expect.f32(this, inputs, inputs.size() - 1, StepScalar.values().length);
    return List.of(inputs.get(0), inputs.get(0));
  }
}
