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
 * @param stored name in a checkpoint
 * @param owner rank whose content a checkpoint holds, {@link #ANY} where all hold the same
 */
public record Held(
    String name, Shape whole, long from, long elements, DType dtype, String stored, int owner) {
  /** Owner of what any rank may write. */
  public static final int ANY = -1;

  /** Of fp32 numbers. */
  public Held(String name, Shape whole, long from, long elements) {
    this(name, whole, from, elements, DType.F32);
  }

  /** Of ranks that hold the same, or pieces of the same. */
  public Held(String name, Shape whole, long from, long elements, DType dtype) {
    this(name, whole, from, elements, dtype, name, ANY);
  }

  public Held {
    if (from < 0 || elements < 1 || from + elements > whole.elements()) {
      throw new IllegalArgumentException(
          name + ": expected a run inside " + whole + ", found " + elements + " from " + from);
    }
  }

  /** As one rank alone holds it, where every rank holds another one. */
  public Held ofReplica(int rank) {
    return new Held(name, whole, from, elements, dtype, "replica/" + rank + "/" + name, rank);
  }

  /** The content of one rank for all. */
  public Held writtenBy(int rank) {
    return new Held(name, whole, from, elements, dtype, stored, rank);
  }

  /** Whether a rank takes its content from what the checkpoint holds. */
  public boolean isReadBy(int rank) {
    return owner == ANY || owner == rank || stored.equals(name);
  }

  /** Whether the rank holds all of it. */
  public boolean isWhole() {
    return elements == whole.elements();
  }
}
