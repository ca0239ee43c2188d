package dev.kindling.kernels.graph;

import java.util.Arrays;

/**
 * Which part of a parameter's gradient is wanted. Gradients are demanded, never simply produced.
 */
public sealed interface Demand permits None, Whole, Columns {
  static Demand none() {
    return new None();
  }

  static Demand whole() {
    return new Whole();
  }

  /** Only these input features of a linear weight, in this order. */
  static Demand columns(int... indices) {
    return new Columns(Arrays.stream(indices).boxed().toList());
  }
}
