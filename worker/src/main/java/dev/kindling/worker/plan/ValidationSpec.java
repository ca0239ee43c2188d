package dev.kindling.worker.plan;

import java.util.Map;

/**
 * When to measure the loss on held-out data; nothing happens where the data set holds none out.
 *
 * @param everySteps steps between measurements (one more follows the last step), 0 = never
 * @param batches micro-batches per rank and measurement, always the same ones
 */
public record ValidationSpec(long everySteps, int batches) {
  public ValidationSpec {
    PlanErrors errors = new PlanErrors();
    errors.atLeast("every_steps", everySteps, 0);
    errors.atLeast("batches", batches, 1);
    errors.throwIfAny();
  }

  public static Map<String, Object> defaults() {
    return Map.of("everySteps", 100L, "batches", 8);
  }
}
