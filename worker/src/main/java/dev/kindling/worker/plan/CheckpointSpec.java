package dev.kindling.worker.plan;

import dev.kindling.kernels.graph.Expectation;
import java.time.Duration;
import java.util.Map;

/**
 * When and how to save. The last step is always saved.
 *
 * @param everySteps steps between checkpoints, 0 = only the last
 * @param keep complete generations kept, older ones are deleted after a newer one is committed
 * @param async whether steps go on while a checkpoint is written; takes host memory for a copy of
 *     weights and optimizer state
 * @param timeout how long the storage may take for one operation before a save counts as failed
 */
public record CheckpointSpec(long everySteps, int keep, boolean async, Duration timeout) {
  static final CheckpointSpec DEFAULT = new CheckpointSpec(200, 2, true, Duration.ofMinutes(2));

  public CheckpointSpec {
    new Expectation()
        .atLeast("every_steps", everySteps, 0)
        .atLeast("keep", keep, 1)
        .that(
            !timeout.isZero() && !timeout.isNegative(),
            "timeout",
            "more than 0s",
            timeout.toMillis() + "ms")
        .orThrow();
  }

  public static Map<String, Object> defaults() {
    return Map.of(
        "everySteps",
        DEFAULT.everySteps(),
        "keep",
        DEFAULT.keep(),
        "async",
        DEFAULT.async(),
        "timeout",
        DEFAULT.timeout());
  }
}
