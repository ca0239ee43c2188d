package dev.kindling.worker.data;

import java.util.ArrayList;
import java.util.List;

/** Findings of compact constructors, one line each, in the form the YAML binder expects. */
final class SpecChecks {
  private SpecChecks() {}

  /** Throws when any finding is not empty; all of them in one message. */
  static void check(String... findings) {
    List<String> found = new ArrayList<>();
    for (String finding : findings) {
      if (!finding.isEmpty()) {
        found.add(finding);
      }
    }
    if (!found.isEmpty()) {
      throw new IllegalArgumentException(String.join("\n", found));
    }
  }

  static String notEmpty(String component, List<?> list, String expected) {
    return list.isEmpty() ? component + ": expected " + expected + ", found an empty list" : "";
  }

  static String held(List<String> validationPaths, double fraction) {
    if (!(fraction >= 0 && fraction < 1)) {
      return "validationFraction: expected a number in [0, 1), found " + fraction;
    }
    return fraction > 0 && !validationPaths.isEmpty()
        ? "validationFraction: expected 0 because validation_paths is given, found " + fraction
        : "";
  }
}
