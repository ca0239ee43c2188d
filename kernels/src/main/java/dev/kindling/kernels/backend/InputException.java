package dev.kindling.kernels.backend;

/**
 * An input of a run holds a number that no row of its table has: names the input and the place,
 * what was expected and what was found. The data are at fault, not the device; results of the run
 * are worth nothing.
 */
public final class InputException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  /**
   * @param where which number, with its place, for example "Embedding: token id at position 7"
   * @param rows numbers from 0 to {@code rows} - 1 are allowed
   */
  public InputException(String where, int rows, int found) {
    super(where + ": expected 0 to " + (rows - 1) + ", found " + found);
  }
}
