package dev.kindling.worker.adapt;

import dev.kindling.kernels.graph.Demand;
import dev.kindling.kernels.graph.Init;
import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.graph.Shape;
import dev.kindling.worker.model.Weight;

/**
 * The low-rank adapter of one linear map. Parameters have peft's names without its prefix.
 *
 * @param scale what the branch is multiplied by
 * @param kind how it takes part
 */
record Branch(Weight weight, int rank, float scale, BranchKind kind) {
  static final String DOWN = ".lora_A.weight";
  static final String UP = ".lora_B.weight";
  static final String MAGNITUDE = ".lora_magnitude_vector";

  /** Whether output rows have a trained length. */
  boolean magnitude() {
    return kind == BranchKind.LENGTHENED;
  }

  /** Whether it leaves the zeros of the weight alone. */
  boolean masked() {
    return kind == BranchKind.MASKED;
  }

  /** A, [rank, in]. */
  Param down() {
    return new Param(
        weight.name() + DOWN,
        Shape.of(rank, weight.in()),
        Demand.whole(),
        Init.uniform(1 / Math.sqrt(weight.in())),
        true);
  }

  /** B, [out, rank]. */
  Param up() {
    Shape shape = Shape.of(weight.out(), rank);
    return new Param(weight.name() + UP, shape, Demand.whole(), Init.zeros(), true);
  }

  /** m, [out]. */
  Param length() {
    Shape shape = Shape.of(weight.out());
    return new Param(weight.name() + MAGNITUDE, shape, Demand.whole(), Init.ones(), false);
  }
}
