package dev.kindling.kernels.graph;

/**
 * A plan or graph that cannot be built: the message names the place, the value and what was
 * expected.
 */
public class PlanException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  public PlanException(String message) {
    super(message);
  }
}
