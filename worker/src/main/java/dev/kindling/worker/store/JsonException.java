package dev.kindling.worker.store;

/** A JSON text that breaks a rule. The message reads {@code file: byte N: what is wrong}. */
public final class JsonException extends RuntimeException {
  private static final long serialVersionUID = 1;

  private final long offset;

  public JsonException(String file, long offset, String message) {
    super(file + ": byte " + offset + ": " + message);
    this.offset = offset;
  }

  /** Byte of the text at which reading stopped. */
  public long offset() {
    return offset;
  }
}
