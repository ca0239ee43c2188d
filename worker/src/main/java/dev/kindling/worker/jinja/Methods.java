package dev.kindling.worker.jinja;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Attributes: the methods of Python's strings and dictionaries that templates use, and members. */
final class Methods {
  private Methods() {}

  /** {@code value.name}: a method first, as Python's getattr, then a member. */
  static Object attribute(int line, Object value, String name) {
    Callable method = method(value, name);
    return method != null ? method : member(line, value, name);
  }

  /** {@code value[key]}: a member first, then a method. */
  static Object item(int line, Object value, Object key) {
    return member(line, value, key);
  }

  private static Object member(int line, Object value, Object key) {
    if (value instanceof Undefined undefined) {
      throw new TemplateException(
          line, "\"" + undefined.name() + "\" is undefined, it has no \"" + key + "\"");
    }
    return Values.item(value, key);
  }

  private static @Nullable Callable method(Object value, String name) {
    if (value instanceof String text) {
      return ofText(text, name);
    }
    return value instanceof Map<?, ?> map && !(value instanceof Functions.Namespace)
        ? ofMap(map, name)
        : null;
  }

  private static @Nullable Callable ofMap(Map<?, ?> map, String name) {
    return switch (name) {
      case "items" -> (arguments, named) -> items(map);
      case "keys" -> (arguments, named) -> new ArrayList<Object>(map.keySet());
      case "values" -> (arguments, named) -> new ArrayList<Object>(map.values());
      case "get" ->
          (arguments, named) -> {
            Object found = map.get(arguments.get(0));
            return found != null ? found : arguments.size() > 1 ? arguments.get(1) : None.NONE;
          };
      default -> null;
    };
  }

  static List<Object> items(Map<?, ?> map) {
    List<Object> pairs = new ArrayList<>();
    map.forEach((key, value) -> pairs.add(List.of(key, value)));
    return pairs;
  }

  private static @Nullable Callable ofText(String text, String name) {
    return switch (name) {
      case "strip" -> (arguments, named) -> strip(text, arguments, true, true);
      case "lstrip" -> (arguments, named) -> strip(text, arguments, true, false);
      case "rstrip" -> (arguments, named) -> strip(text, arguments, false, true);
      case "upper" -> (arguments, named) -> text.toUpperCase(Locale.ROOT);
      case "lower" -> (arguments, named) -> text.toLowerCase(Locale.ROOT);
      case "title" -> (arguments, named) -> title(text);
      case "capitalize" -> (arguments, named) -> capitalize(text);
      case "startswith" -> (arguments, named) -> any(arguments, text::startsWith);
      case "endswith" -> (arguments, named) -> any(arguments, text::endsWith);
      case "replace" ->
          (arguments, named) ->
              text.replace(Values.text(arguments.get(0)), Values.text(arguments.get(1)));
      case "split" -> (arguments, named) -> split(text, arguments);
      default -> null;
    };
  }

  private interface Matches {
    boolean with(String part);
  }

  private static boolean any(List<Object> arguments, Matches matches) {
    Object given = arguments.get(0);
    List<Object> parts = given instanceof String ? List.of(given) : Values.items(given);
    return parts.stream().anyMatch(part -> matches.with(Values.text(part)));
  }

  static String strip(String text, List<Object> arguments, boolean left, boolean right) {
    if (arguments.isEmpty() || arguments.get(0) == None.NONE) {
      String cut = left ? text.stripLeading() : text;
      return right ? cut.stripTrailing() : cut;
    }
    String characters = Values.text(arguments.get(0));
    int from = 0;
    int to = text.length();
    while (left && from < to && characters.indexOf(text.charAt(from)) >= 0) {
      from++;
    }
    while (right && to > from && characters.indexOf(text.charAt(to - 1)) >= 0) {
      to--;
    }
    return text.substring(from, to);
  }

  private static List<Object> split(String text, List<Object> arguments) {
    List<Object> parts = new ArrayList<>();
    if (arguments.isEmpty() || arguments.get(0) == None.NONE) {
      for (String part : text.strip().split("\\s+", -1)) {
        if (!part.isEmpty()) {
          parts.add(part);
        }
      }
      return parts;
    }
    String separator = Values.text(arguments.get(0));
    if (separator.isEmpty()) {
      throw new TemplateException(0, "split: expected a separator, found an empty text");
    }
    long most = arguments.size() > 1 ? Values.integer(arguments.get(1)) : -1;
    int from = 0;
    for (int to = text.indexOf(separator);
        to >= 0 && (most < 0 || parts.size() < most);
        to = text.indexOf(separator, from)) {
      parts.add(text.substring(from, to));
      from = to + separator.length();
    }
    parts.add(text.substring(from));
    return parts;
  }

  static String capitalize(String text) {
    return text.isEmpty()
        ? text
        : text.substring(0, 1).toUpperCase(Locale.ROOT)
            + text.substring(1).toLowerCase(Locale.ROOT);
  }

  static String title(String text) {
    StringBuilder out = new StringBuilder();
    boolean begins = true;
    for (char c : text.toCharArray()) {
      out.append(begins ? Character.toUpperCase(c) : Character.toLowerCase(c));
      begins = !Character.isLetter(c);
    }
    return out.toString();
  }
}
