package dev.kindling.kernels.graph;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * Collects what is wrong with the components of a record, one line {@code component: expected X,
 * found Y} each, so that a user reads all of it at once. The reader of configurations gives each
 * line its place in the file. It lives beside {@link PlanException} because the records of optim
 * and worker both need it and see no other room together.
 */
public final class Expectation {
  private final List<String> errors = new ArrayList<>();

  /** Notes an error unless {@code holds}. */
  public Expectation that(boolean holds, String component, String expected, Object found) {
    if (!holds) {
      errors.add(component + ": expected " + expected + ", found " + found);
    }
    return this;
  }

  public Expectation positive(String component, double value) {
    return that(value > 0 && Double.isFinite(value), component, "a number above 0", value);
  }

  public Expectation notNegative(String component, double value) {
    return that(value >= 0 && Double.isFinite(value), component, "a number of 0 or more", value);
  }

  public Expectation fraction(String component, double value) {
    return that(value >= 0 && value < 1, component, "a number in [0, 1)", value);
  }

  public Expectation atLeast(String component, long value, long least) {
    return that(value >= least, component, least + " or more", value);
  }

  public Expectation notEmpty(String component, String text, String expected) {
    return that(!text.isEmpty(), component, expected, "an empty text");
  }

  public Expectation notEmpty(String component, List<?> list, String expected) {
    return that(!list.isEmpty(), component, expected, "an empty list");
  }

  /** Refuses a hash that is none. */
  public Expectation sha256(String component, Optional<String> hash) {
    String text = hash.orElse("0".repeat(64));
    return that(text.matches("[0-9a-f]{64}"), component, "64 hexadecimal digits", text);
  }

  /**
   * Refuses a value that {@code unit} does not divide; {@code formula} says where unit comes from.
   */
  public Expectation multipleOf(String component, long value, long unit, String formula) {
    long below = value / unit * unit;
    String nearest = below == 0 ? "" + unit : below + " or " + (below + unit);
    String numbers = formula.contains("*") ? formula + " = " + unit : formula + " " + unit;
    String found = value + " (nearest: " + nearest + ")";
    return that(value % unit == 0, component, "a multiple of " + numbers, found);
  }

  /** Refuses a value that does not divide {@code whole}. */
  public Expectation divisorOf(String component, long value, long whole, String formula) {
    long below = value;
    while (whole % below != 0) {
      below--;
    }
    long above = value;
    while (above <= whole && whole % above != 0) {
      above++;
    }
    String nearest = above > whole ? "" + below : below + " or " + above;
    String found = value + " (nearest: " + nearest + ")";
    return that(whole % value == 0, component, "a divisor of " + formula + " " + whole, found);
  }

  /** Whether nothing was noted so far. */
  public boolean holds() {
    return errors.isEmpty();
  }

  /**
   * @throws IllegalArgumentException with all that was noted, if anything was
   */
  public void orThrow() {
    if (!errors.isEmpty()) {
      throw new IllegalArgumentException(String.join("\n", errors));
    }
  }
}
