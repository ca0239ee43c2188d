package dev.kindling.worker.checkpoint;

import dev.kindling.kernels.graph.DType;
import dev.kindling.kernels.graph.Shape;
import dev.kindling.kernels.memory.Span;

/**
 * A whole tensor in host memory, little endian, row-major.
 *
 * @param name Hugging Face name of a weight, or the optimizer's name of a state
 */
public record NamedSpan(String name, Shape shape, DType dtype, Span span)
    implements TensorSource, TensorTarget {
  public NamedSpan {
    long expected = shape.elements() * dtype.bytes();
    if (span.bytes() != expected) {
      throw new IllegalArgumentException(
          name + ": expected " + expected + " bytes for " + shape + ", found " + span.bytes());
    }
  }

  public NamedSpan(String name, Shape shape, Span span) {
    this(name, shape, DType.F32, span);
  }

  @Override
  public void read(long from, Span target) {
    target.buffer().put(0, span.buffer(), Math.toIntExact(from), (int) target.bytes());
  }

  @Override
  public Span room() {
    return span;
  }

  @Override
  public void filled(Span room) {
    // The caller reads the span where it is.
  }

  @Override
  public void dropped(Span room) {
    // The caller closes what it made.
  }
}
