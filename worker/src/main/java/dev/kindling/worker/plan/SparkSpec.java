package dev.kindling.worker.plan;

import dev.kindling.kernels.graph.Expectation;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
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

  /** Keys of {@link #conf} whose values nobody else may read; see {@link Redaction}. */
  public List<String> secretKeys() {
    return conf.keySet().stream()
        .filter(key -> Redaction.hides(key, String.valueOf(conf.get(key))))
        .sorted()
        .toList();
  }

  /** The settings of {@link #secretKeys}, with their values. */
  public Map<String, String> secrets() {
    Map<String, String> secrets = new LinkedHashMap<>(conf);
    secrets.keySet().retainAll(secretKeys());
    return secrets;
  }

  /** The same with a word in the place of each secret. */
  public SparkSpec withoutSecrets() {
    Map<String, String> shown = new LinkedHashMap<>(conf);
    shown.replaceAll(Redaction::shown);
    return new SparkSpec(master, startupTimeout, shown);
  }

  /** Keys of which only the word that {@link #withoutSecrets} leaves is known. */
  public List<String> lostSecrets() {
    return conf.keySet().stream()
        .filter(key -> Redaction.REDACTED.equals(conf.get(key)))
        .sorted()
        .toList();
  }

  /** The same with {@code secrets} in the places that {@link #withoutSecrets} left for them. */
  public SparkSpec withSecrets(Map<String, String> secrets) {
    Map<String, String> full = new LinkedHashMap<>(conf);
    lostSecrets().forEach(key -> full.computeIfPresent(key, (k, word) -> secrets.get(k)));
    return new SparkSpec(master, startupTimeout, full);
  }

  /** Without the secrets: a record's own would print them. */
  @Override
  public String toString() {
    Map<String, String> shown = withoutSecrets().conf();
    return "SparkSpec[master=%s, startupTimeout=%s, conf=%s]"
        .formatted(master, startupTimeout, shown);
  }

  public static Map<String, Object> defaults() {
    return Map.of("startupTimeout", Duration.ofMinutes(5), "conf", Map.of());
  }
}
