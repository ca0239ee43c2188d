package dev.kindling.worker.jinja;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * What a template may call by name. {@code strftime_now} is not defined: templates ask whether it
 * is, and what is trained on must not depend on the day.
 */
final class Functions {
  private static final int LONGEST_RANGE = 100_000;

  private Functions() {}

  /** A map that {@code set} may write into from inside a loop. */
  static final class Namespace extends HashMap<String, Object> {
    private static final long serialVersionUID = 1L;

    Namespace(Map<String, Object> members) {
      super(members);
    }
  }

  static void define(Scope scope) {
    scope.set("raise_exception", (Callable) Functions::raise);
    scope.set("namespace", (Callable) (arguments, named) -> new Namespace(named));
    scope.set("range", (Callable) (arguments, named) -> range(arguments));
    scope.set("dict", (Callable) (arguments, named) -> Map.copyOf(named));
  }

  private static Object raise(List<Object> arguments, Map<String, Object> named) {
    throw new TemplateException(
        0, arguments.isEmpty() ? "refused by the template" : Values.text(arguments.get(0)));
  }

  private static Object range(List<Object> arguments) {
    if (arguments.isEmpty() || arguments.size() > 3) {
      throw new TemplateException(0, "range: expected 1 to 3 arguments");
    }
    long first = arguments.size() == 1 ? 0 : Values.integer(arguments.get(0));
    long end = Values.integer(arguments.get(arguments.size() == 1 ? 0 : 1));
    long by = arguments.size() < 3 ? 1 : Values.integer(arguments.get(2));
    List<Object> numbers = new ArrayList<>();
    for (long k = first; by > 0 ? k < end : k > end; k += by) {
      if (by == 0 || numbers.size() >= LONGEST_RANGE) {
        throw new TemplateException(0, "range: expected at most " + LONGEST_RANGE + " numbers");
      }
      numbers.add(k);
    }
    return numbers;
  }
}
