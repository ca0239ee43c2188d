package dev.kindling.worker.plan;

import java.util.regex.Pattern;

/**
 * Which settings nobody but their owner may read. One rule for messages, the run folder,
 * checkpoints and, as {@code spark.redaction.regex}, for Spark's logs, event log and pages, which
 * ask it about names and about values.
 */
public final class Redaction {
  private static final String NAMES =
      "secret|passw|pass[._-]?phrase|token|credential|(access|account|private|encryption)[._-]?key";

  /** A user with a password in a URI. */
  private static final String PASSWORD_IN_URI = "://[^/?#@\\s]*:[^/?#@\\s]*@";

  /** Spark's own rule overlooks keys of Azure accounts, pass phrases, private keys and URIs. */
  public static final String REGEX = "(?i)" + NAMES + "|" + PASSWORD_IN_URI;

  /** Stands in the place of a secret. */
  public static final String REDACTED = "(redacted)";

  private static final Pattern NAME = Pattern.compile("(?i)" + NAMES);
  private static final Pattern URI = Pattern.compile(PASSWORD_IN_URI);

  /** A property definition among JVM options. */
  private static final Pattern DEFINITION = Pattern.compile("-D([^\\s=]+)=(\\S+)");

  private Redaction() {}

  /** Whether the setting's name says that its value is a secret, or the value shows it. */
  public static boolean hides(String key, String value) {
    return NAME.matcher(key).find() || holdsPassword(value) || definesSecret(value);
  }

  /** Whether the text has a URI with a user and a password. */
  public static boolean holdsPassword(String text) {
    return URI.matcher(text).find();
  }

  /** The text with a word in the place of the user and the password of each URI. */
  public static String withoutPasswords(String text) {
    return URI.matcher(text).replaceAll("://" + REDACTED + "@");
  }

  /** A setting's value for messages: a word in the place of a secret. */
  public static String shown(String key, String value) {
    return hides(key, value) ? REDACTED : value;
  }

  /** Whether JVM options define a property that is hidden; a command line is public. */
  public static boolean definesSecret(String jvmOptions) {
    return DEFINITION
        .matcher(jvmOptions)
        .results()
        .anyMatch(
            definition ->
                NAME.matcher(definition.group(1)).find() || holdsPassword(definition.group(2)));
  }
}
