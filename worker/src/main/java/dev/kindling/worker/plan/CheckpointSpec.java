package dev.kindling.worker.plan;

import java.util.Map;

/**
 * When to save. The last step is always saved.
 *
 * @param everySteps steps between checkpoints, 0 = only the last
 * @param keep complete generations kept, older ones are deleted after a newer one is committed
 */
public record CheckpointSpec(long everySteps, int keep) {
  public CheckpointSpec {
    PlanErrors errors = new PlanErrors();
    errors.atLeast("every_steps", everySteps, 0);
    errors.atLeast("keep", keep, 1);
    errors.throwIfAny();
  }

  public static Map<String, Object> defaults() {
    return Map.of("everySteps", 200L, "keep", 2);
  }
}
