package dev.kindling.worker.model;

import dev.kindling.kernels.graph.Demand;
import dev.kindling.kernels.graph.Init;
import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.graph.Shape;

/** The parameters of a transformer that are no linear maps. */
final class Parameters {
  private Parameters() {}

  /** An embedding table, [rows, width]. It decays, as every matrix does. */
  static Param table(String name, int rows, int width, double std) {
    return new Param(name, Shape.of(rows, width), Demand.whole(), Init.normal(std), true);
  }

  /** The gain of a norm, [width], starting at one. */
  static Param gain(String name, int width) {
    return new Param(name, Shape.of(width), Demand.whole(), Init.ones(), false);
  }

  /** The bias of a norm, [width], starting at zero. */
  static Param bias(String name, int width) {
    return new Param(name, Shape.of(width), Demand.whole(), Init.zeros(), false);
  }
}
