package dev.kindling.driver.launch;

import dev.kindling.worker.plan.Redaction;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/**
 * Takes secrets that the driver knows out of lines that others wrote: the values of the run's
 * secret settings, and of variables and properties of the driver whose names say so.
 */
final class LogMask {
  /** A shorter one is part of ordinary words. */
  private static final int SHORTEST = 6;

  private final List<String> secrets;

  private LogMask(List<String> secrets) {
    this.secrets = secrets;
  }

  /**
   * @param settings values of secret settings
   * @param surroundings variables and properties of the driver
   */
  static LogMask of(Collection<String> settings, Map<String, String> surroundings) {
    Stream<String> variables =
        surroundings.entrySet().stream()
            .filter(variable -> Redaction.hides(variable.getKey(), variable.getValue()))
            .map(Map.Entry::getValue);
    return new LogMask(
        Stream.concat(settings.stream(), variables)
            .filter(secret -> secret.length() >= SHORTEST)
            .distinct()
            // One that holds another must go whole.
            .sorted((a, b) -> Integer.compare(b.length(), a.length()))
            .toList());
  }

  String apply(String line) {
    String masked = line;
    for (String secret : secrets) {
      masked = masked.replace(secret, Redaction.REDACTED);
    }
    return Redaction.withoutPasswords(masked);
  }
}
