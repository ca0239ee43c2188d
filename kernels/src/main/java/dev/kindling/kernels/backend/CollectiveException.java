package dev.kindling.kernels.backend;

/**
 * A collective call failed: names the axis or peer, the call and the waiting ranks as far as known.
 */
public class CollectiveException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  public CollectiveException(String message) {
    super(message);
  }

  public CollectiveException(String message, Throwable cause) {
    super(message, cause);
  }
}
