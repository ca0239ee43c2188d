package dev.kindling.worker.model;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** Collects what is wrong with a configuration, so that all of it is reported at once. */
final class Expectation {
  private final List<String> errors = new ArrayList<>();

  Expectation that(boolean holds, String component, String expected, Object found) {
    if (!holds) {
      errors.add(component + ": expected " + expected + ", found " + found);
    }
    return this;
  }

  Expectation positive(String component, double value) {
    return that(value > 0 && Double.isFinite(value), component, "a number above 0", value);
  }

  Expectation size(String component, Optional<Integer> value) {
    return that(value.orElse(1) >= 1, component, "1 or more", value.orElse(1));
  }

  Expectation sizes(int width, int layers, int heads, int context) {
    return size("width", Optional.of(width))
        .size("layers", Optional.of(layers))
        .size("heads", Optional.of(heads))
        .size("context", Optional.of(context));
  }

  void orThrow() {
    if (!errors.isEmpty()) {
      throw new IllegalArgumentException(String.join("\n", errors));
    }
  }
}
