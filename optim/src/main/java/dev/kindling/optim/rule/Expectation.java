package dev.kindling.optim.rule;

import java.util.ArrayList;
import java.util.List;

/**
 * Collects what is wrong with the components of a record, so that all of it is reported at once.
 */
final class Expectation {
  private final List<String> errors = new ArrayList<>();

  Expectation that(boolean holds, String component, String expected, double found) {
    if (!holds) {
      errors.add(component + ": expected " + expected + ", found " + found);
    }
    return this;
  }

  Expectation positive(String component, double value) {
    return that(value > 0 && Double.isFinite(value), component, "a number above 0", value);
  }

  Expectation notNegative(String component, double value) {
    return that(value >= 0 && Double.isFinite(value), component, "a number of 0 or more", value);
  }

  Expectation fraction(String component, double value) {
    return that(value >= 0 && value < 1, component, "a number in [0, 1)", value);
  }

  void orThrow() {
    if (!errors.isEmpty()) {
      throw new IllegalArgumentException(String.join("\n", errors));
    }
  }
}
