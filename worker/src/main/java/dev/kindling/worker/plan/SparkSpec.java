package dev.kindling.worker.plan;

import dev.kindling.kernels.graph.Expectation;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;

/**
 * How ranks become Spark tasks.
 *
 * @param master Spark master URL; empty: what spark-submit says, else {@code local-cluster} with
 *     one executor JVM per rank
 * @param startupTimeout how long to wait for slots that may still come
 * @param conf further Spark settings, as in {@code --conf}
 */
public record SparkSpec(
    Optional<String> master, Duration startupTimeout, Map<String, String> conf) {
  public SparkSpec {
    new Expectation()
        .that(
            !startupTimeout.isZero() && !startupTimeout.isNegative(),
            "startup_timeout",
            "more than 0s",
            startupTimeout.toMillis() + "ms")
        .orThrow();
  }

  public static Map<String, Object> defaults() {
    return Map.of("startupTimeout", Duration.ofMinutes(5), "conf", Map.of());
  }
}
