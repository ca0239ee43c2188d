package dev.kindling.benchmarks;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;

/**
 * Options of a benchmark, {@code --name value}, over defaults; a name that has no default is
 * refused.
 */
record BenchOptions(Map<String, String> values) {

  static BenchOptions of(List<String> arguments, Map<String, String> defaults) {
    Map<String, String> values = new LinkedHashMap<>(defaults);
    for (int i = 0; i < arguments.size(); i += 2) {
      String name = arguments.get(i).replaceFirst("^--", "");
      if (!defaults.containsKey(name) || i + 1 == arguments.size()) {
        throw new IllegalArgumentException(
            "expected --NAME VALUE with a name of "
                + new TreeSet<>(defaults.keySet())
                + ", found "
                + arguments.get(i));
      }
      values.put(name, arguments.get(i + 1));
    }
    return new BenchOptions(values);
  }

  /** For a benchmark that has no option. */
  static void none(List<String> arguments) {
    if (!arguments.isEmpty()) {
      throw new IllegalArgumentException("expected no option, found " + arguments);
    }
  }

  String text(String name) {
    String value = values.get(name);
    if (value == null) {
      throw new IllegalArgumentException("no option --" + name);
    }
    return value;
  }

  int count(String name) {
    try {
      return Integer.parseInt(text(name));
    } catch (NumberFormatException e) {
      throw new IllegalArgumentException(
          "--" + name + ": expected an integer, found " + text(name), e);
    }
  }

  /** Of a decimal number. */
  double share(String name) {
    try {
      return Double.parseDouble(text(name));
    } catch (NumberFormatException e) {
      throw new IllegalArgumentException(
          "--" + name + ": expected a number, found " + text(name), e);
    }
  }
}
