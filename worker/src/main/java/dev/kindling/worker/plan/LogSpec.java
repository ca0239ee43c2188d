package dev.kindling.worker.plan;

import dev.kindling.kernels.graph.Expectation;
import java.util.Map;

/**
 * How often a step is written to {@code metrics.jsonl}.
 *
 * @param everySteps steps between lines, at least 1
 */
public record LogSpec(long everySteps) {
  public LogSpec {
    new Expectation().atLeast("every_steps", everySteps, 1).orThrow();
  }

  public static Map<String, Object> defaults() {
    return Map.of("everySteps", 1L);
  }
}
