package dev.kindling.worker.shard;

import dev.kindling.kernels.backend.Memory;
import dev.kindling.kernels.graph.DType;
import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.graph.Shape;
import dev.kindling.kernels.memory.Span;
import dev.kindling.worker.model.FirstValues;

/**
 * What one rank holds of a tensor: a run of its elements, row-major, in the variable of its name.
 *
 * @param name public name of a weight, or the optimizer's name of a state
 * @param whole shape of the tensor over all ranks
 * @param from first element held
 * @param elements how many
 */
public record Held(String name, Shape whole, long from, long elements, DType dtype) {
  /** Most first values are read or drawn in one go; those that follow from a whole matrix must. */
  private static final long PIECE_BYTES = 256L << 20;

  /** Of fp32 numbers. */
  public Held(String name, Shape whole, long from, long elements) {
    this(name, whole, from, elements, DType.F32);
  }

  public Held {
    if (from < 0 || elements < 1 || from + elements > whole.elements()) {
      throw new IllegalArgumentException(
          name + ": expected a run inside " + whole + ", found " + elements + " from " + from);
    }
  }

  /** Writes its part of a parameter, piece by piece: a table may be larger than the host's spans. */
  public void fill(Param param, FirstValues first, Memory memory) {
    long bytes = elements * Float.BYTES;
    try (Span piece = Span.allocate(Math.min(bytes, PIECE_BYTES))) {
      for (long at = 0; at < bytes; at += PIECE_BYTES) {
        Span part = piece.slice(0, Math.min(bytes - at, PIECE_BYTES));
        first.fill(param, from + at / Float.BYTES, part);
        memory.publish(name, at, part);
      }
    }
    memory.release(name);
  }

  /** Whether the rank holds all of it. */
  public boolean isWhole() {
    return elements == whole.elements();
  }
}
