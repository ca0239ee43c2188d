package dev.kindling.worker.plan;

import dev.kindling.kernels.graph.Expectation;
import java.util.Map;

/**
 * When to save. The last step is always saved.
 *
 * @param everySteps steps between checkpoints, 0 = only the last
 * @param keep complete generations kept, older ones are deleted after a newer one is committed
 */
public record CheckpointSpec(long everySteps, int keep) {
  public CheckpointSpec {
    new Expectation().atLeast("every_steps", everySteps, 0).atLeast("keep", keep, 1).orThrow();
  }

  public static Map<String, Object> defaults() {
    return Map.of("everySteps", 200L, "keep", 2);
  }
}
