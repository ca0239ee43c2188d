package dev.kindling.kernels.graph;

/** How a parameter is filled before step 1. */
public sealed interface Init permits Zeros, Ones, Normal, Uniform {
  static Init zeros() {
    return new Zeros();
  }

  static Init ones() {
    return new Ones();
  }

  /** In [-bound, bound); element i is a pure function of (seed, parameter name, i). */
  static Init uniform(double bound) {
    return new Uniform(bound);
  }

  /** Mean 0; element i is a pure function of (seed, parameter name, i). */
  static Init normal(double std) {
    return new Normal(std);
  }
}
