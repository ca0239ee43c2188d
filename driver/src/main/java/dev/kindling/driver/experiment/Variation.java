package dev.kindling.driver.experiment;

import java.util.List;

/**
 * One run of a list.
 *
 * @param name letters, digits and {@code . _ = -}; also the name of its folder
 * @param set {@code path=value} assignments
 */
public record Variation(String name, List<String> set) {
  public Variation {
    set = List.copyOf(set);
    if (!name.matches("[A-Za-z0-9][A-Za-z0-9._=-]{0,99}")) {
      throw new IllegalArgumentException(
          "name: expected 1 to 100 letters, digits and . _ = -, found \"" + name + "\"");
    }
  }

  public static java.util.Map<String, Object> defaults() {
    return java.util.Map.of("set", List.of());
  }
}
