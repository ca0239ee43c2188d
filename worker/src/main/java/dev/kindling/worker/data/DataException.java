package dev.kindling.worker.data;

/**
 * Input text, tokenizer or prepared set that cannot be used: names the file, the place in it, what
 * was expected and what was found. Exit code 3; never retried.
 */
public final class DataException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  public DataException(String message) {
    super(message);
  }

  public DataException(String message, Throwable cause) {
    super(message, cause);
  }
}
