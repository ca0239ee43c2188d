package dev.kindling.worker.plan;

import java.util.Map;

/**
 * How often a step is written to {@code metrics.jsonl}.
 *
 * @param everySteps steps between lines, at least 1
 */
public record LogSpec(long everySteps) {
  public LogSpec {
    PlanErrors errors = new PlanErrors();
    errors.atLeast("every_steps", everySteps, 1);
    errors.throwIfAny();
  }

  public static Map<String, Object> defaults() {
    return Map.of("everySteps", 1L);
  }
}
