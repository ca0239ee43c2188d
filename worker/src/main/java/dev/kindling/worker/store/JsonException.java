package dev.kindling.worker.store;

/** A JSON text that breaks a rule. The message reads {@code file: byte N: what is wrong}. */
public final class JsonException extends RuntimeException {
  private static final long serialVersionUID = 1;

  private final long offset;
  private final String reason;

  public JsonException(String file, long offset, String message) {
    super(file + ": byte " + offset + ": " + message);
    this.offset = offset;
    this.reason = message;
  }

  /** What is wrong, without file and byte. */
  public String reason() {
    return reason;
  }

  /** Byte of the text at which reading stopped. */
  public long offset() {
    return offset;
  }
}
