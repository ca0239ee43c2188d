package dev.kindling.worker.model;

import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/** Writes the flat configuration of a model as JSON: numbers, booleans, plain strings, lists. */
final class JsonText {
  private JsonText() {}

  static String of(Map<String, Object> object) {
    return object.entrySet().stream()
        .map(entry -> "  \"" + entry.getKey() + "\": " + value(entry.getValue()))
        .collect(Collectors.joining(",\n", "{\n", "\n}\n"));
  }

  private static String value(Object value) {
    if (value instanceof List<?> list) {
      return list.stream().map(JsonText::value).collect(Collectors.joining(", ", "[", "]"));
    }
    // Only names chosen in this package: no character that would need an escape.
    return value instanceof String ? "\"" + value + "\"" : value.toString();
  }
}
