package dev.kindling.worker.checkpoint;

import dev.kindling.kernels.graph.DType;
import dev.kindling.kernels.graph.Shape;
import dev.kindling.kernels.memory.Span;

/** A whole tensor to be written. Its bytes are asked for when its turn comes. */
public interface TensorSource {
  /** Hugging Face name of a weight, or the optimizer's name of a state. */
  String name();

  Shape shape();

  DType dtype();

  /** All bytes, little endian, row-major; valid until the next source is asked. */
  Span whole();
}
