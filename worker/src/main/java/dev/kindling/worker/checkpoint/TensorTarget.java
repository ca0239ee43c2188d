package dev.kindling.worker.checkpoint;

import dev.kindling.kernels.graph.DType;
import dev.kindling.kernels.graph.Shape;
import dev.kindling.kernels.memory.Span;

/** Where a whole tensor goes that is read from a checkpoint. */
public interface TensorTarget {
  /** Hugging Face name of a weight, or the optimizer's name of a state. */
  String name();

  Shape shape();

  DType dtype();

  /** Memory for all bytes of the tensor; asked for when the tensor is about to be read. */
  Span room();

  /** Whether its content is read at all: what another rank alone reads is only checked by name. */
  default boolean isWanted() {
    return true;
  }

  /** The room holds the tensor, verified; whoever gave it takes it back. */
  void filled(Span room);

  /**
   * The room will not be filled, since something failed; whoever gave it takes it back. For every
   * room either this or {@link #filled} is called, once, and nobody uses the room any more.
   */
  void dropped(Span room);
}
