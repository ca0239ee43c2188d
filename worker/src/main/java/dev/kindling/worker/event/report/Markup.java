package dev.kindling.worker.event.report;

import java.util.Arrays;
import java.util.Locale;

/**
 * HTML and SVG that grow. Whatever is put into a pattern is escaped unless it is markup itself, so
 * that no text of a run, be it a path or an error message, can become a tag.
 */
public final class Markup {
  private final StringBuilder out = new StringBuilder();

  /**
   * @param pattern as of {@link String#format}; comes from our code only
   */
  public Markup add(String pattern, Object... values) {
    Object[] safe = Arrays.stream(values).map(Markup::safe).toArray();
    out.append(String.format(Locale.ROOT, pattern, safe));
    return this;
  }

  public Markup add(Markup other) {
    out.append(other.out);
    return this;
  }

  private static Object safe(Object value) {
    return value instanceof Number || value instanceof Markup
        ? value
        : escaped(String.valueOf(value));
  }

  /** Safe between tags and in quoted attributes; what XML cannot hold becomes a question mark. */
  public static String escaped(String text) {
    StringBuilder safe = new StringBuilder(text.length() + 16);
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      switch (c) {
        case '&' -> safe.append("&amp;");
        case '<' -> safe.append("&lt;");
        case '>' -> safe.append("&gt;");
        case '"' -> safe.append("&quot;");
        case '\'' -> safe.append("&#39;");
        case '\n', '\t' -> safe.append(c);
        default -> safe.append(c < 0x20 || c == 0x7f ? '?' : c);
      }
    }
    return safe.toString();
  }

  @Override
  public String toString() {
    return out.toString();
  }
}
