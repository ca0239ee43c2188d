package dev.kindling.kernels.graph.op;

import dev.kindling.kernels.graph.Shape;
import dev.kindling.kernels.graph.StepScalar;
import dev.kindling.kernels.graph.ValueType;
import java.util.List;

/**
 * Independent standard normal numbers, fp32. Element i of step t is number {@code t * 2^32 + i} of
 * the Philox stream {@code key}: a pure function, so the same on every rank, in any order, and
 * again after a resume; nothing is stored. Input step block; output of the given shape.
 *
 * <p>The step is read from the block as fp32, exact up to 2^24 steps.
 *
 * @param key stream; whoever writes the sentence derives it from the seed and a purpose
 */
public record RandomNormal(Shape shape, long key) implements Op {
  /** Counters that one step owns; more than an arena can hold elements. */
  public static final long COUNTERS_PER_STEP = 1L << 32;

  @Override
  public List<ValueType> infer(List<ValueType> inputs) {
    Expect.count(this, inputs, 1);
    Expect.f32(this, inputs, 0, StepScalar.values().length);
    return List.of(new ValueType(shape, dev.kindling.kernels.graph.DType.F32));
  }
}
