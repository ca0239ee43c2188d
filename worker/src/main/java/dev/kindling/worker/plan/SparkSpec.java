package dev.kindling.worker.plan;

import dev.kindling.kernels.graph.Expectation;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Pattern;

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
  /** Spark's default of {@code spark.redaction.regex}, which its web interface and logs use. */
  private static final Pattern SECRET = Pattern.compile("(?i)secret|password|token|access[.]?key");

  private static final String REDACTED = "(redacted)";

  public SparkSpec {
    new Expectation()
        .that(
            !startupTimeout.isZero() && !startupTimeout.isNegative(),
            "startup_timeout",
            "more than 0s",
            startupTimeout.toMillis() + "ms")
        .orThrow();
  }

  /**
   * Keys of {@link #conf} whose values nobody else may read, by the rule with which Spark hides
   * them.
   */
  public List<String> secretKeys() {
    return conf.keySet().stream().filter(SparkSpec::isSecret).sorted().toList();
  }

  private static boolean isSecret(String key) {
    return SECRET.matcher(key).find();
  }

  /** A setting's value for messages: a word in the place of a secret. */
  public static String shown(String key, String value) {
    return isSecret(key) ? REDACTED : value;
  }

  /** The same with a word in the place of each secret. */
  public SparkSpec withoutSecrets() {
    Map<String, String> shown = new LinkedHashMap<>(conf);
    shown.replaceAll(SparkSpec::shown);
    return new SparkSpec(master, startupTimeout, shown);
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
