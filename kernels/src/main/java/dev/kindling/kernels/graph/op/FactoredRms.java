package dev.kindling.kernels.graph.op;

import dev.kindling.kernels.graph.ValueType;
import java.util.List;

/**
 * How long the update of factored moments is: root of the mean of U^2, U = scale * gradient /
 * sqrt(rows * columns / mean). Inputs gradient [R, C] (or [R]), rows [R], columns [C], mean [1],
 * scale [1] -> [1]. Sums in fp64, fixed order. After Shazeer and Stern 2018 (1804.04235), section
 * 6.
 */
public record FactoredRms() implements Op {
  @Override
  public List<ValueType> infer(List<ValueType> inputs) {
    Expect.count(this, inputs, 5);
    Expect.factored(this, inputs, 0, 1);
    Expect.f32(this, inputs, 3, 1);
    Expect.f32(this, inputs, 4, 1);
    return List.of(ValueType.f32(1));
  }
}
