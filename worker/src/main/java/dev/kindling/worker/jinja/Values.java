package dev.kindling.worker.jinja;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * What Python does with the values of a template: String, Long, Double, Boolean, List, Map by
 * String, {@link None}, {@link Undefined}, {@link Callable}.
 */
final class Values {
  private Values() {}

  static Object of(@Nullable Object value) {
    if (value == null) {
      return None.NONE;
    }
    if (value instanceof List<?> items) {
      List<Object> copy = new ArrayList<>(items.size());
      items.forEach(item -> copy.add(of(item)));
      return copy;
    }
    if (value instanceof Map<?, ?> members) {
      Map<String, Object> copy = new LinkedHashMap<>();
      members.forEach((key, member) -> copy.put((String) key, of(member)));
      return copy;
    }
    if (value instanceof String
        || value instanceof Long
        || value instanceof Double
        || value instanceof Boolean) {
      return value;
    }
    throw new IllegalArgumentException("no value of a template: " + value.getClass());
  }

  static boolean truth(Object value) {
    if (value instanceof Boolean flag) {
      return flag;
    }
    if (value instanceof Long || value instanceof Double) {
      return ((Number) value).doubleValue() != 0;
    }
    if (value instanceof String || value instanceof List || value instanceof Map) {
      return length(value) > 0 || value instanceof Functions.Namespace;
    }
    return value instanceof Callable;
  }

  static String text(Object value) {
    if (value instanceof String text) {
      return text;
    }
    if (value instanceof Boolean flag) {
      return flag ? "True" : "False";
    }
    if (value instanceof Long) {
      return value.toString();
    }
    if (value instanceof Undefined) {
      return "";
    }
    if (value == None.NONE) {
      return "None";
    }
    throw new TemplateException(0, "expected a text, found " + kind(value) + "; use tojson");
  }

  static String kind(Object value) {
    return value instanceof String
        ? "a string"
        : value instanceof Long
            ? "an integer"
            : value instanceof Double
                ? "a float"
                : value instanceof Boolean
                    ? "a flag"
                    : value instanceof List
                        ? "a list"
                        : value instanceof Map
                            ? "a mapping"
                            : value instanceof Undefined undefined
                                ? "nothing (\"" + undefined.name() + "\" is undefined)"
                                : value == None.NONE ? "None" : "a function";
  }

  static long integer(Object value) {
    if (value instanceof Long number) {
      return number;
    }
    if (value instanceof Boolean flag) {
      return flag ? 1 : 0;
    }
    throw new TemplateException(0, "expected an integer, found " + kind(value));
  }

  static int length(Object value) {
    if (value instanceof String text) {
      return text.codePointCount(0, text.length());
    }
    if (value instanceof List<?> items) {
      return items.size();
    }
    if (value instanceof Map<?, ?> members) {
      return members.size();
    }
    if (value instanceof Undefined) {
      return 0;
    }
    throw new TemplateException(0, "expected something with a length, found " + kind(value));
  }

  static List<Object> items(Object value) {
    if (value instanceof List<?> items) {
      return new ArrayList<>(items);
    }
    if (value instanceof Map<?, ?> members) {
      return new ArrayList<>(members.keySet());
    }
    if (value instanceof String text) {
      List<Object> points = new ArrayList<>();
      text.codePoints().forEach(point -> points.add(Character.toString(point)));
      return points;
    }
    if (value instanceof Undefined) {
      return new ArrayList<>();
    }
    throw new TemplateException(0, "expected a list, found " + kind(value));
  }

  static boolean equal(Object left, Object right) {
    if (number(left) && number(right)) {
      return asDouble(left) == asDouble(right);
    }
    if (left instanceof Undefined && right instanceof Undefined) {
      return true;
    }
    return left.equals(right);
  }

  static boolean number(Object value) {
    return value instanceof Long || value instanceof Double || value instanceof Boolean;
  }

  private static double asDouble(Object value) {
    return value instanceof Double number ? number : integer(value);
  }

  static int compare(Object left, Object right) {
    if (number(left) && number(right)) {
      return Double.compare(asDouble(left), asDouble(right));
    }
    if (left instanceof String a && right instanceof String b) {
      return a.compareTo(b);
    }
    throw new TemplateException(0, "cannot compare " + kind(left) + " and " + kind(right));
  }

  static boolean contains(Object container, Object item) {
    if (container instanceof String text) {
      if (!(item instanceof String part)) {
        throw new TemplateException(0, "in: expected a string, found " + kind(item));
      }
      return text.contains(part);
    }
    return items(container).stream().anyMatch(other -> equal(item, other));
  }

  static Object add(Object left, Object right) {
    if (left instanceof String a && right instanceof String b) {
      return a + b;
    }
    if (left instanceof List<?> a && right instanceof List<?> b) {
      List<Object> joined = new ArrayList<>(a);
      joined.addAll(b);
      return joined;
    }
    return arithmetic("+", left, right);
  }

  static Object arithmetic(String operator, Object left, Object right) {
    if (!number(left) || !number(right)) {
      throw new TemplateException(
          0, "cannot compute " + kind(left) + " " + operator + " " + kind(right));
    }
    if (left instanceof Double || right instanceof Double || operator.equals("/")) {
      double a = asDouble(left);
      double b = asDouble(right);
      return switch (operator) {
        case "+" -> a + b;
        case "-" -> a - b;
        case "*" -> a * b;
        case "/" -> a / b;
        default -> throw new TemplateException(0, operator + ": expected integers");
      };
    }
    long a = integer(left);
    long b = integer(right);
    return switch (operator) {
      case "+" -> Math.addExact(a, b);
      case "-" -> Math.subtractExact(a, b);
      case "*" -> Math.multiplyExact(a, b);
      case "//" -> Math.floorDiv(a, b);
      default -> Math.floorMod(a, b);
    };
  }

  /** {@code value[key]}, undefined where there is none. */
  static Object item(Object value, Object key) {
    if (value instanceof Map<?, ?> members) {
      Object found = key instanceof String ? members.get(key) : null;
      return found == null ? new Undefined(String.valueOf(key)) : found;
    }
    if (value instanceof Undefined) {
      throw new TemplateException(0, "expected a mapping or list, found " + kind(value));
    }
    if (value instanceof List || value instanceof String) {
      List<Object> items = items(value);
      if (!(key instanceof Long place)) {
        return new Undefined(String.valueOf(key));
      }
      long at = place < 0 ? place + items.size() : place;
      return at < 0 || at >= items.size() ? new Undefined("[" + place + "]") : items.get((int) at);
    }
    return new Undefined(String.valueOf(key));
  }

  /** {@code value[from:to:by]} of a list or string, ends as in Python; null stands for left out. */
  static Object slice(
      Object value, @Nullable Object from, @Nullable Object to, @Nullable Object by) {
    List<Object> items = items(value);
    int size = items.size();
    long step = by == null ? 1 : integer(by);
    if (step == 0) {
      throw new TemplateException(0, "slice: expected a step that is not 0");
    }
    long first = bound(from, size, step > 0 ? 0 : size - 1, step);
    long end = bound(to, size, step > 0 ? size : -1, step);
    List<Object> cut = new ArrayList<>();
    for (long k = first; step > 0 ? k < end : k > end; k += step) {
      cut.add(items.get((int) k));
    }
    if (value instanceof String) {
      StringBuilder text = new StringBuilder();
      cut.forEach(text::append);
      return text.toString();
    }
    return cut;
  }

  private static long bound(@Nullable Object given, int size, long absent, long step) {
    if (given == null || given == None.NONE) {
      return absent;
    }
    long at = integer(given);
    at = at < 0 ? at + size : at;
    return step > 0 ? Math.max(0, Math.min(size, at)) : Math.max(-1, Math.min(size - 1, at));
  }
}
