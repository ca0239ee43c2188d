package dev.kindling.worker.shard;

import dev.kindling.kernels.graph.DType;
import dev.kindling.kernels.graph.Shape;

/**
 * What one rank holds of a tensor: a run of its elements, row-major, in the variable of its name.
 *
 * @param name public name of a weight, or the optimizer's name of a state
 * @param whole shape of the tensor over all ranks
 * @param from first element held
 * @param elements how many
 */
public record Held(String name, Shape whole, long from, long elements, DType dtype) {
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

  /** Whether the rank holds all of it. */
  public boolean isWhole() {
    return elements == whole.elements();
  }
}
