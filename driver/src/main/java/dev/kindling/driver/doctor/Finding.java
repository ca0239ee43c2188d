package dev.kindling.driver.doctor;

/**
 * One line of the doctor.
 *
 * @param subject what was looked at, one or two words
 * @param text what was found
 * @param mend what to do about it; empty unless something is wrong
 */
public record Finding(State state, String subject, String text, String mend) {
  /** How bad it is. */
  public enum State {
    OK,
    /** Less than could be, and nothing that stops a run. */
    NOTE,
    WRONG
  }

  static Finding ok(String subject, String text) {
    return new Finding(State.OK, subject, text, "");
  }

  static Finding note(String subject, String text, String mend) {
    return new Finding(State.NOTE, subject, text, mend);
  }

  static Finding wrong(String subject, String text, String mend) {
    return new Finding(State.WRONG, subject, text, mend);
  }

  /** As a person reads it. */
  public String line() {
    String word = state.name().toLowerCase(java.util.Locale.ROOT);
    String line = "%-6s %-10s %s".formatted(word, subject, text);
    return mend.isEmpty() ? line : line + "\n" + " ".repeat(18) + "mend: " + mend;
  }
}
