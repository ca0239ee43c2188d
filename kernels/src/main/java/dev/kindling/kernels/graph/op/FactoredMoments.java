package dev.kindling.kernels.graph.op;

import dev.kindling.kernels.graph.StepScalar;
import dev.kindling.kernels.graph.ValueType;
import java.util.List;

/**
 * Second moments of a matrix kept as one number per row and one per column. Inputs gradient [R, C]
 * (or [R], a single column), rows [R], columns [C], scale [1], step block -> rows and columns over
 * theirs, mean of the rows [1]. With w = BIAS_CORRECTION2 of the step block and x = (scale *
 * gradient)^2 + least: rows += w (mean of x over columns - rows); columns likewise. A scale of 0
 * leaves both. Sums in fp32 over runs of a fixed length, those in fp64. After Shazeer and Stern
 * 2018 (1804.04235), algorithm 4.
 */
public record FactoredMoments(float least) implements Op {
  /** Type of the rows' numbers for such a gradient. */
  public static ValueType rows(ValueType gradient) {
    return ValueType.f32(gradient.shape().dim(0));
  }

  /** Type of the columns' numbers for such a gradient. */
  public static ValueType columns(ValueType gradient) {
    return ValueType.f32(gradient.shape().rank() == 2 ? gradient.shape().dim(1) : 1);
  }

  @Override
  public List<ValueType> infer(List<ValueType> inputs) {
    Expect.count(this, inputs, 5);
    Expect.factored(this, inputs, 0, 1);
    Expect.f32(this, inputs, 3, 1);
    Expect.f32(this, inputs, 4, StepScalar.values().length);
    return List.of(inputs.get(1), inputs.get(2), ValueType.f32(1));
  }

  @Override
  public int alias(int output) {
    return output < 2 ? output + 1 : OWN_MEMORY;
  }
}
