package dev.kindling.worker.plan;

import dev.kindling.kernels.graph.Expectation;
import dev.kindling.optim.rule.Mezo;
import dev.kindling.worker.adapt.Adapter;
import dev.kindling.worker.adapt.Paca;
import org.jspecify.annotations.Nullable;

/**
 * What a step without a backward pass cannot follow. A section is null only when the binder has
 * already refused it and looks for further errors.
 */
final class MezoConditions {
  private MezoConditions() {}

  static void check(
      Expectation errors,
      Mezo mezo,
      @Nullable Adapter adapter,
      @Nullable MeshSpec mesh,
      @Nullable MemorySpec memory) {
    errors.that(
        !(adapter instanceof Paca),
        "adapter.type",
        "any but paca with optimizer mezo (which moves whole parameters)",
        "paca");
    errors.that(
        adapter == null || adapter.dropout() == 0,
        "adapter.dropout",
        "0 with optimizer mezo (a slope compares two passes over the same inputs)",
        adapter == null ? 0 : adapter.dropout());
    errors.that(
        mesh == null || mesh.zero() == 0,
        "mesh.zero",
        "0 with optimizer mezo (every rank moves all parameters)",
        mesh == null ? 0 : mesh.zero());
    errors.that(
        mezo.sparsity() == 0 || adapter == null || !adapter.beginsAtZero(),
        "optimizer.sparsity",
        "0 with a fresh adapter (half of its factors begin at 0: so would their threshold)",
        mezo.sparsity());
    if (memory != null) {
      errors.that(
          memory.recompute() == Recomputation.AUTO || memory.recompute() == Recomputation.NONE,
          "memory.recompute",
          "auto or none with optimizer mezo (which has no backward pass)",
          memory.recompute());
      errors.that(
          memory.gradients() != GradientStorage.BF16,
          "memory.gradients",
          "auto or fp32 with optimizer mezo (which has no gradients)",
          memory.gradients());
    }
  }
}
