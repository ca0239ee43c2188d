package dev.kindling.kernels.graph.op;

import dev.kindling.kernels.graph.DType;
import dev.kindling.kernels.graph.Shape;
import dev.kindling.kernels.graph.StepScalar;
import dev.kindling.kernels.graph.ValueType;
import java.util.List;
import java.util.Optional;

/**
 * One AdamW update in place whose moments are stored in 8 bits. Inputs param, gradient (equal
 * types, n elements), codes of m and of v, each I32 {@link #words}, their scales {@link #scales},
 * scale [1], step block -> param, both codes, scales over theirs.
 *
 * <p>The moments of each {@link #BLOCK} elements are decoded as code times scale ({@link
 * DynamicCode}, signed for m, unsigned for v), updated in fp32 as {@link AdamW} does, used, and
 * stored again with the block's largest absolute value as the scale. Four codes stand in one I32,
 * the first in the lowest byte. A scale of 0 leaves everything unchanged. A rounding key means what
 * it means there. After Dettmers et al. 2022 (2110.02861), sections 2.1 and 2.2.
 */
public record QuantizedAdamW(
    float beta1, float beta2, float eps, float weightDecay, Optional<Long> roundingKey)
    implements Op {
  /** Elements that share a scale. */
  public static final int BLOCK = 256;

  /** Type of the codes of so many elements. */
  public static ValueType words(long elements) {
    return new ValueType(Shape.of(Math.toIntExact((elements + 3) / 4)), DType.I32);
  }

  /** Type of the scales of so many elements: a row for m, a row for v. */
  public static ValueType scales(long elements) {
    return ValueType.f32(2, Math.toIntExact((elements + BLOCK - 1) / BLOCK));
  }

  @Override
  public List<ValueType> infer(List<ValueType> inputs) {
    Expect.count(this, inputs, 7);
    Expect.f32(this, inputs, 0);
    Expect.same(this, 1, inputs.get(0), inputs.get(1));
    long elements = inputs.get(0).shape().elements();
    Expect.same(this, 2, words(elements), inputs.get(2));
    Expect.same(this, 3, words(elements), inputs.get(3));
    Expect.same(this, 4, scales(elements), inputs.get(4));
    Expect.f32(this, inputs, 5, 1);
    Expect.f32(this, inputs, 6, StepScalar.values().length);
    return List.of(inputs.get(0), inputs.get(2), inputs.get(3), inputs.get(4));
  }

  @Override
  public int alias(int output) {
    return output == 0 ? 0 : output + 1;
  }
}
