package dev.kindling.kernels.testing;

import java.util.Map;
import java.util.Objects;

/** Contents of variables by name. */
public final class Contents {
  private Contents() {}

  /** The content of a variable that must be there. */
  public static double[] at(Map<String, double[]> contents, String name) {
    return Objects.requireNonNull(contents.get(name), name);
  }
}
