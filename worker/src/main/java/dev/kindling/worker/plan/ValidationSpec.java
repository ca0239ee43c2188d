package dev.kindling.worker.plan;

import dev.kindling.kernels.graph.Expectation;
import java.util.Map;

/**
 * When to measure the loss on held-out data; nothing happens where the data set holds none out.
 *
 * @param everySteps steps between measurements (one more follows the last step), 0 = never
 * @param batches micro-batches per rank and measurement, always the same ones
 */
public record ValidationSpec(long everySteps, int batches) {
  public ValidationSpec {
    new Expectation()
        .atLeast("every_steps", everySteps, 0)
        .atLeast("batches", batches, 1)
        .orThrow();
  }

  public static Map<String, Object> defaults() {
    return Map.of("everySteps", 100L, "batches", 8);
  }
}
