package dev.kindling.worker.jinja;

import java.util.List;
import java.util.Map;
import java.util.Set;

/** What may stand behind {@code is}. */
final class IsTests {
  private static final Set<String> NAMES =
      Set.of(
          "defined",
          "undefined",
          "none",
          "string",
          "mapping",
          "iterable",
          "sequence",
          "number",
          "integer",
          "boolean",
          "true",
          "false",
          "callable",
          "equalto",
          "eq",
          "==",
          "ne",
          "!=",
          "in",
          "odd",
          "even",
          "divisibleby");

  private IsTests() {}

  static void require(int line, String name) {
    if (!NAMES.contains(name)) {
      throw new TemplateException(line, "is: expected one of " + sorted() + ", found " + name);
    }
  }

  private static List<String> sorted() {
    return NAMES.stream().sorted().toList();
  }

  static boolean holds(String name, Object value, List<Object> arguments) {
    return switch (name) {
      case "defined" -> !(value instanceof Undefined);
      case "undefined" -> value instanceof Undefined;
      case "none" -> value == None.NONE;
      case "string" -> value instanceof String;
      case "mapping" -> value instanceof Map;
      case "iterable", "sequence" ->
          value instanceof String
              || value instanceof List
              || value instanceof Map
              || (value instanceof Undefined && name.equals("iterable"));
      case "number" -> Values.number(value);
      case "integer" -> value instanceof Long;
      case "boolean" -> value instanceof Boolean;
      case "true" -> value.equals(true);
      case "false" -> value.equals(false);
      case "callable" -> value instanceof Callable;
      case "equalto", "eq", "==" -> Values.equal(value, argument(name, arguments));
      case "ne", "!=" -> !Values.equal(value, argument(name, arguments));
      case "in" -> Values.contains(argument(name, arguments), value);
      case "odd" -> Math.floorMod(Values.integer(value), 2L) == 1;
      case "even" -> Math.floorMod(Values.integer(value), 2L) == 0;
      default ->
          Math.floorMod(Values.integer(value), Values.integer(argument(name, arguments))) == 0;
    };
  }

  private static Object argument(String name, List<Object> arguments) {
    if (arguments.size() != 1) {
      throw new TemplateException(0, "is " + name + ": expected one argument");
    }
    return arguments.get(0);
  }
}
