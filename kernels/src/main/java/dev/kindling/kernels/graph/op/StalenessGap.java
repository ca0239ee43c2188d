package dev.kindling.kernels.graph.op;

import dev.kindling.kernels.graph.OuterScalar;
import dev.kindling.kernels.graph.ValueType;
import java.util.List;

/**
 * The gain of a displacement that arrives a round late, 1 / Lambda. Inputs momentum norm [1], mean
 * over replicas of the squared displacement of the first inner step of the round that arrives [1],
 * block of {@link OuterScalar} -> gain [1].
 *
 * <pre>
 * Lambda = 1 + rate norm / (innerSteps sqrt(squares) + 1e-12)
 * </pre>
 *
 * <p>rate norm is how far the last outer step moved the anchor, so the last anchor need not be
 * kept. Lambda is 1 where squares is not above 0: a first step at a learning rate of 0. fp64, one
 * operation at a time, rounded once: the same bits on every device. A reconstruction after Sun et
 * al. 2024 (CO2, 2401.16265), section 3, whose equation 3 it may not be.
 */
public record StalenessGap() implements Op {
  /** Keeps the ratio finite. */
  public static final double EPS = 1e-12;

  @Override
  public List<ValueType> infer(List<ValueType> inputs) {
    Expect.count(this, inputs, 3);
    Expect.f32(this, inputs, 0, 1);
    Expect.f32(this, inputs, 1, 1);
    Expect.f32(this, inputs, 2, OuterScalar.values().length);
    return List.of(ValueType.f32(1));
  }
}
