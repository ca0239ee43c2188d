package dev.kindling.worker.checkpoint;

import dev.kindling.kernels.graph.DType;
import dev.kindling.kernels.graph.Shape;
import dev.kindling.kernels.memory.Span;

/** A whole tensor to be written. Its bytes are asked for piece by piece when their turn comes. */
public interface TensorSource {
  /** Hugging Face name of a weight, or the optimizer's name of a state. */
  String name();

  Shape shape();

  DType dtype();

  /**
   * Fills the target with the tensor's bytes (little endian, row-major) from {@code from}. One
   * thread asks, in the order of {@link PartCut#order}; the target is gone after the return.
   */
  void read(long from, Span target);

  /** All bytes of the tensor. */
  default long bytes() {
    return shape().elements() * dtype().bytes();
  }
}
