package dev.kindling.worker.jinja;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;

/** What may stand behind {@code |}. */
final class Filters {
  private static final Set<String> NAMES =
      Set.of(
          "trim",
          "length",
          "count",
          "upper",
          "lower",
          "capitalize",
          "title",
          "default",
          "d",
          "first",
          "last",
          "join",
          "tojson",
          "list",
          "replace",
          "string",
          "int",
          "items",
          "reverse",
          "map",
          "selectattr",
          "rejectattr",
          "safe");

  private Filters() {}

  static void require(int line, String name) {
    if (!NAMES.contains(name)) {
      throw new TemplateException(
          line, "filter: expected one of " + NAMES.stream().sorted().toList() + ", found " + name);
    }
  }

  static Object apply(
      String name, Object value, List<Object> arguments, Map<String, Object> named) {
    return switch (name) {
      case "trim" -> Methods.strip(Values.text(value), arguments, true, true);
      case "length", "count" -> (long) Values.length(value);
      case "upper" -> Values.text(value).toUpperCase(Locale.ROOT);
      case "lower" -> Values.text(value).toLowerCase(Locale.ROOT);
      case "capitalize" -> Methods.capitalize(Values.text(value));
      case "title" -> Methods.title(Values.text(value));
      case "default", "d" -> fallback(value, arguments, named);
      case "first" -> end(value, true);
      case "last" -> end(value, false);
      case "join" -> join(value, arguments);
      case "tojson" -> json(value, arguments, named);
      case "list" -> Values.items(value);
      case "replace" ->
          Values.text(value).replace(Values.text(arguments.get(0)), Values.text(arguments.get(1)));
      case "string", "safe" -> Values.text(value);
      case "int" -> number(value);
      case "items" -> value instanceof Map<?, ?> map ? Methods.items(map) : new ArrayList<>();
      case "reverse" -> Values.slice(value, null, null, -1L);
      case "map" -> mapped(value, named);
      default -> chosen(name, value, arguments);
    };
  }

  private static Object fallback(Object value, List<Object> arguments, Map<String, Object> named) {
    Object other = arguments.isEmpty() ? "" : arguments.get(0);
    Object falsy = arguments.size() > 1 ? arguments.get(1) : named.getOrDefault("boolean", false);
    boolean replaced = value instanceof Undefined || (Values.truth(falsy) && !Values.truth(value));
    return replaced ? other : value;
  }

  private static Object end(Object value, boolean first) {
    List<Object> items = Values.items(value);
    return items.isEmpty()
        ? new Undefined(first ? "the first of none" : "the last of none")
        : items.get(first ? 0 : items.size() - 1);
  }

  private static String join(Object value, List<Object> arguments) {
    String between = arguments.isEmpty() ? "" : Values.text(arguments.get(0));
    return Values.items(value).stream().map(Values::text).collect(Collectors.joining(between));
  }

  private static Object number(Object value) {
    if (value instanceof Double number) {
      return number.longValue();
    }
    if (value instanceof String text) {
      return text.strip().matches("[-+]?[0-9]{1,18}") ? Long.parseLong(text.strip()) : 0L;
    }
    return Values.integer(value);
  }

  private static Object mapped(Object value, Map<String, Object> named) {
    Object attribute = named.get("attribute");
    if (attribute == null || named.size() != 1) {
      throw new TemplateException(0, "map: expected attribute=");
    }
    List<Object> found = new ArrayList<>();
    Values.items(value).forEach(item -> found.add(Values.item(item, attribute)));
    return found;
  }

  private static Object chosen(String name, Object value, List<Object> arguments) {
    if (arguments.isEmpty()) {
      throw new TemplateException(0, name + ": expected an attribute");
    }
    List<Object> kept = new ArrayList<>();
    for (Object item : Values.items(value)) {
      Object member = Values.item(item, arguments.get(0));
      boolean holds;
      if (arguments.size() == 1) {
        holds = Values.truth(member);
      } else {
        String test = Values.text(arguments.get(1));
        IsTests.require(0, test);
        holds = IsTests.holds(test, member, arguments.subList(2, arguments.size()));
      }
      if (holds == name.equals("selectattr")) {
        kept.add(item);
      }
    }
    return kept;
  }

  /** As {@code json.dumps(value, ensure_ascii=False, indent=...)}, which transformers puts here. */
  private static String json(Object value, List<Object> arguments, Map<String, Object> named) {
    Object indent =
        arguments.isEmpty() ? named.getOrDefault("indent", None.NONE) : arguments.get(0);
    StringBuilder out = new StringBuilder();
    json(out, value, indent == None.NONE ? -1 : (int) Values.integer(indent), 0);
    return out.toString();
  }

  private static void json(StringBuilder out, Object value, int indent, int level) {
    if (value instanceof Map<?, ?> members) {
      enclosed(
          out,
          "{}",
          new ArrayList<>(members.entrySet()),
          indent,
          level,
          entry -> {
            quoted(out, String.valueOf(((Map.Entry<?, ?>) entry).getKey()));
            out.append(": ");
            json(out, ((Map.Entry<?, ?>) entry).getValue(), indent, level + 1);
          });
    } else if (value instanceof List<?> items) {
      enclosed(out, "[]", items, indent, level, item -> json(out, item, indent, level + 1));
    } else if (value instanceof String text) {
      quoted(out, text);
    } else if (value instanceof Undefined || value instanceof Callable) {
      throw new TemplateException(0, "tojson: found " + Values.kind(value));
    } else {
      out.append(value == None.NONE ? "null" : value.toString());
    }
  }

  private interface Written {
    void item(Object item);
  }

  private static void enclosed(
      StringBuilder out, String ends, List<?> items, int indent, int level, Written written) {
    out.append(ends.charAt(0));
    for (int k = 0; k < items.size(); k++) {
      out.append(k == 0 ? "" : indent < 0 ? ", " : ",");
      line(out, indent, level + 1);
      written.item(items.get(k));
    }
    if (!items.isEmpty()) {
      line(out, indent, level);
    }
    out.append(ends.charAt(1));
  }

  private static void line(StringBuilder out, int indent, int level) {
    if (indent >= 0) {
      out.append('\n').append(" ".repeat(indent * level));
    }
  }

  private static void quoted(StringBuilder out, String text) {
    out.append('"');
    for (char c : text.toCharArray()) {
      switch (c) {
        case '"' -> out.append("\\\"");
        case '\\' -> out.append("\\\\");
        case '\n' -> out.append("\\n");
        case '\r' -> out.append("\\r");
        case '\t' -> out.append("\\t");
        case '\b' -> out.append("\\b");
        case '\f' -> out.append("\\f");
        default -> out.append(c < 0x20 ? String.format("\\u%04x", (int) c) : String.valueOf(c));
      }
    }
    out.append('"');
  }
}
