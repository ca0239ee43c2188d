package dev.kindling.worker.plan;

import dev.kindling.configs.yaml.ByteSize;
import dev.kindling.kernels.graph.Expectation;
import dev.kindling.optim.rule.Descent;
import dev.kindling.optim.rule.Mezo;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * How a step fits into memory.
 *
 * @param recompute what backward computes a second time instead of keeping it; {@code auto} takes
 *     what costs least time and fits
 * @param lossChunks chunks of rows of head and loss; without it, one where that fits
 * @param limit bytes that one rank may reserve on its device; without it, what is free there at
 *     start, which is written to the run folder
 * @param gradients how gradients of matrices are stored; {@code auto} takes bf16 where a step
 *     writes each of them once
 * @param weights where the matrices of layers lie; {@code host} copies each layer to the device
 *     while the one before computes, for models larger than the device (optimizer mezo alone)
 */
public record MemorySpec(
    Recomputation recompute,
    Optional<Integer> lossChunks,
    Optional<ByteSize> limit,
    GradientStorage gradients,
    WeightPlace weights) {
  static final MemorySpec DEFAULT =
      new MemorySpec(Recomputation.AUTO, Optional.empty(), Optional.empty(), GradientStorage.AUTO);

  /** With all weights on the device. */
  public MemorySpec(
      Recomputation recompute,
      Optional<Integer> lossChunks,
      Optional<ByteSize> limit,
      GradientStorage gradients) {
    this(recompute, lossChunks, limit, gradients, WeightPlace.DEVICE);
  }

  public MemorySpec {
    new Expectation()
        .atLeast("loss_chunks", lossChunks.orElse(1), 1)
        .atLeast("limit", limit.map(ByteSize::bytes).orElse(1L), 1)
        .orThrow();
  }

  /** What the descent cannot follow. A section is null when the binder has refused it already. */
  static void check(@Nullable MemorySpec spec, @Nullable Descent descent, Expectation errors) {
    errors.that(
        spec == null
            || descent == null
            || spec.weights == WeightPlace.DEVICE
            || (descent instanceof Mezo mezo && !mezo.master()),
        "memory.weights",
        "device without optimizer mezo and its master false (backward and masters want them there)",
        WeightPlace.HOST);
  }

  public static Map<String, Object> defaults() {
    return Map.of(
        "recompute",
        Recomputation.AUTO,
        "gradients",
        GradientStorage.AUTO,
        "weights",
        WeightPlace.DEVICE);
  }
}
