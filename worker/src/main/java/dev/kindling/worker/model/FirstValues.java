package dev.kindling.worker.model;

import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.graph.PlanException;
import dev.kindling.kernels.memory.Span;

/** Where the weights of a run begin: at random numbers, or at those of a model that exists. */
@FunctionalInterface
public interface FirstValues {
  /**
   * Writes a run of the parameter's elements, row-major.
   *
   * @param from first element
   * @param target fp32, as many elements as are wanted
   */
  void fill(Param param, long from, Span target);

  /**
   * All elements of a parameter as new memory, which the caller closes.
   *
   * @throws PlanException naming a parameter that no span can hold
   */
  default Span whole(Param param) {
    Span whole = allocate(param);
    try {
      fill(param, 0, whole);
      return whole;
    } catch (RuntimeException | Error failure) {
      whole.close();
      throw failure;
    }
  }

  /**
   * Memory for a parameter as a whole.
   *
   * @throws PlanException if it has 2 GiB or more in fp32
   */
  static Span allocate(Param param) {
    long bytes = param.type().bytes();
    if (bytes >= Span.BYTES_LIMIT) {
      throw new PlanException(
          param.name()
              + ": expected less than 2 GiB in fp32, to be held as a whole, found "
              + bytes
              + " bytes "
              + param.shape());
    }
    return Span.allocate(bytes);
  }
}
