package dev.kindling.worker.plan;

import dev.kindling.kernels.graph.Expectation;
import dev.kindling.optim.rule.Descent;
import dev.kindling.optim.rule.Optimizer;
import dev.kindling.optim.rule.UpdateRule;
import dev.kindling.worker.adapt.Adapter;
import dev.kindling.worker.adapt.Full;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * What decides how gradients can be stored. A section is null only when the binder has already
 * refused it and looks for further errors.
 *
 * @param microBatch tokens of a rank in one forward and backward pass
 * @param perRank tokens of a rank in one step
 */
record GradientConditions(Device device, @Nullable MeshSpec mesh, int microBatch, long perRank) {
  private static final String KEY = "memory.gradients";

  private boolean several() {
    return perRank > microBatch;
  }

  void check(GradientStorage storage, Expectation errors) {
    if (storage == GradientStorage.BF16) {
      Optional<String> obstacle = obstacleToBf16();
      errors.that(obstacle.isEmpty(), KEY, "auto or fp32 " + obstacle.orElse(""), "bf16");
    }
    if (storage == GradientStorage.LAYERWISE) {
      layerwise(
          !several(),
          "with several micro-batches per step (a gradient is complete behind the last): layerwise"
              + " wants micro_batch "
              + perRank,
          errors);
      layerwise(
          mesh == null || mesh.zero() == 0,
          "with mesh.zero above 0 (pieces are reduced together)",
          errors);
    }
  }

  /** Why gradients cannot be stored in bf16. */
  private Optional<String> obstacleToBf16() {
    if (device != Device.CUDA) {
      return Optional.of("with device cpu (which stores nothing in bf16)");
    }
    if (mesh != null && mesh.zero() >= 2) {
      return Optional.of("with mesh.zero 2 or 3 (each micro-step adds pieces in fp32)");
    }
    return several()
        ? Optional.of(
            "with several micro-batches per step (they add in fp32): bf16 wants micro_batch "
                + perRank)
        : Optional.empty();
  }

  GradientLife life(GradientStorage storage) {
    return switch (storage) {
      case LAYERWISE -> GradientLife.PASSING;
      case FP32 -> GradientLife.SUMS;
      case AUTO, BF16 -> obstacleToBf16().isEmpty() ? GradientLife.NARROW_SUMS : GradientLife.SUMS;
    };
  }

  /** What an update in backward cannot do. */
  static void layerwise(
      @Nullable Descent optimizer,
      @Nullable Adapter adapter,
      Determinism determinism,
      Expectation errors) {
    layerwise(
        determinism != Determinism.EXACT,
        "with determinism exact (a gradient waits for its sibling)",
        errors);
    layerwise(
        adapter == null || adapter instanceof Full,
        "with an adapter (whose gradients are small)",
        errors);
    layerwise(
        optimizer == null || optimizer instanceof Optimizer,
        "with optimizer mezo (which has no gradients)",
        errors);
    if (optimizer instanceof Optimizer descent) {
      double largest = descent.rules().stream().mapToDouble(UpdateRule::clipNorm).max().orElse(0);
      errors.that(
          largest == 0,
          "optimizer.clip_norm",
          "0 with memory.gradients layerwise (the norm of all gradients is known too late)",
          largest);
    }
  }

  private static void layerwise(boolean holds, String why, Expectation errors) {
    errors.that(holds, KEY, "auto, fp32 or bf16 " + why, "layerwise");
  }
}
