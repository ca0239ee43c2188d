package dev.kindling.worker.model;

import dev.kindling.kernels.graph.Param;
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
}
