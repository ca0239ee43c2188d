package dev.kindling.configs.yaml;

import java.util.List;
import java.util.Locale;
import java.util.Map;

/** Maps, lists and scalars as JSON that people can read in a diff. */
final class JsonText {
  /** What fits into a line stays in one. */
  private static final int LINE = 100;

  private JsonText() {}

  /** Two spaces per level; ends with a newline. */
  static String pretty(Object value) {
    return write(value, "") + "\n";
  }

  private static String write(Object value, String indent) {
    if (value instanceof Map<?, ?> map) {
      List<String> members =
          map.entrySet().stream()
              .map(
                  e ->
                      quoted(String.valueOf(e.getKey()))
                          + ": "
                          + write(e.getValue(), indent + "  "))
              .toList();
      return block("{", members, "}", indent);
    }
    if (value instanceof List<?> list) {
      return block(
          "[", list.stream().map(item -> write(item, indent + "  ")).toList(), "]", indent);
    }
    return value instanceof Number || value instanceof Boolean
        ? value.toString()
        : quoted(value.toString());
  }

  private static String block(String open, List<String> parts, String close, String indent) {
    String line = open + String.join(", ", parts) + close;
    if (line.length() + indent.length() <= LINE && line.indexOf('\n') < 0) {
      return line;
    }
    String separator = ",\n" + indent + "  ";
    return open + "\n" + indent + "  " + String.join(separator, parts) + "\n" + indent + close;
  }

  private static String quoted(String text) {
    StringBuilder out = new StringBuilder("\"");
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      if (c == '"' || c == '\\') {
        out.append('\\').append(c);
      } else if (c < 0x20 || c > 0x7e) {
        out.append(String.format(Locale.ROOT, "\\u%04x", (int) c));
      } else {
        out.append(c);
      }
    }
    return out.append('"').toString();
  }
}
