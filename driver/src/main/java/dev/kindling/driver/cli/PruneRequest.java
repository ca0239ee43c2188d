package dev.kindling.driver.cli;

import dev.kindling.driver.launch.DeviceChoice;
import dev.kindling.kernels.graph.PlanException;
import dev.kindling.worker.prune.Criterion;
import java.nio.file.Path;
import java.util.Optional;

/** Words of {@code prune}. */
record PruneRequest(
    String source,
    Path target,
    Criterion method,
    Optional<Double> sparsity,
    Optional<String> pattern,
    boolean structured,
    long seed,
    Calibration calibration) {

  PruneRequest {
    boolean wanda = method == Criterion.WANDA;
    if (wanda != calibration.texts().isPresent()) {
      throw new PlanException(
          wanda
              ? "--calibration: expected texts with --method wanda, found none"
              : "--calibration: expected none but with --method wanda");
    }
    if (structured && (wanda || pattern.isPresent())) {
      throw new PlanException(
          "--structured: expected --method magnitude or random and no --pattern, found "
              + (wanda ? "wanda" : "--pattern " + pattern.orElse("")));
    }
    if (calibration.samples() < 1) {
      throw new PlanException("--samples: expected 1 or more, found " + calibration.samples());
    }
  }

  /** Texts to look at activations of. */
  record Calibration(
      Optional<Path> texts,
      String field,
      int samples,
      Optional<Integer> context,
      DeviceChoice device) {}
}
