package dev.kindling.worker.data;

import java.nio.charset.StandardCharsets;
import java.util.Locale;

/**
 * Removes the comment blocks before a source file's first statement that speak of licence or
 * copyright: equal in thousands of files, they would teach a model one paragraph by heart and make
 * its loss look better than it is.
 */
final class LicenceHeader {
  private LicenceHeader() {}

  /** The source without such leading comments, line ends made LF, no leading blank lines. */
  static byte[] remove(byte[] source) {
    String text = new String(source, StandardCharsets.UTF_8).replace("\r\n", "\n");
    if (text.startsWith("\ufeff")) {
      text = text.substring(1);
    }
    StringBuilder kept = new StringBuilder();
    int at = 0;
    while (true) {
      int start = skipSpace(text, at);
      int end = commentEnd(text, start);
      if (end < 0) {
        return (kept + text.substring(start)).getBytes(StandardCharsets.UTF_8);
      }
      String comment = text.substring(start, end).toLowerCase(Locale.ROOT);
      if (!comment.contains("licen") && !comment.contains("copyright")) {
        kept.append(text, start, end).append('\n');
      }
      at = end;
    }
  }

  private static int skipSpace(String text, int at) {
    while (at < text.length() && Character.isWhitespace(text.charAt(at))) {
      at++;
    }
    return at;
  }

  /** End of the comment (or run of line comments) that starts here; -1 when none does. */
  private static int commentEnd(String text, int start) {
    if (text.startsWith("/*", start)) {
      int close = text.indexOf("*/", start + 2);
      return close < 0 ? -1 : close + 2;
    }
    int at = start;
    while (text.startsWith("//", at)) {
      int newline = text.indexOf('\n', at);
      at = newline < 0 ? text.length() : newline + 1;
    }
    return at == start ? -1 : at;
  }
}
