package dev.kindling.worker.store;

/** What was needed could not be reached; nothing is said about what lies there. */
public final class OutageException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  public OutageException(String message, Throwable cause) {
    super(message, cause);
  }
}
