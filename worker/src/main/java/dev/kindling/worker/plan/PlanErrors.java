package dev.kindling.worker.plan;

import java.util.ArrayList;
import java.util.List;

/** Collects the lines that the configuration binder turns into positioned errors. */
final class PlanErrors {
  private final List<String> lines = new ArrayList<>();

  void require(boolean holds, String key, String expected, Object found) {
    if (!holds) {
      lines.add(key + ": expected " + expected + ", found " + found);
    }
  }

  boolean atLeast(String key, long value, long least) {
    require(value >= least, key, least + " or more", value);
    return value >= least;
  }

  /**
   * Refuses a value that {@code unit} does not divide; {@code formula} says where unit comes from.
   */
  void multipleOf(String key, long value, long unit, String formula) {
    if (value % unit == 0) {
      return;
    }
    long below = value / unit * unit;
    String nearest = below == 0 ? "" + unit : below + " or " + (below + unit);
    String numbers = formula.contains("*") ? formula + " = " + unit : formula + " " + unit;
    require(false, key, "a multiple of " + numbers, value + " (nearest: " + nearest + ")");
  }

  /** Refuses a value that does not divide {@code whole}. */
  void divisorOf(String key, long value, long whole, String formula) {
    if (whole % value == 0) {
      return;
    }
    long below = value;
    while (whole % below != 0) {
      below--;
    }
    long above = value;
    while (above <= whole && whole % above != 0) {
      above++;
    }
    String nearest = above > whole ? "" + below : below + " or " + above;
    require(
        false, key, "a divisor of " + formula + " " + whole, value + " (nearest: " + nearest + ")");
  }

  void throwIfAny() {
    if (!lines.isEmpty()) {
      throw new IllegalArgumentException(String.join("\n", lines));
    }
  }
}
