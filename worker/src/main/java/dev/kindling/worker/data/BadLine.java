package dev.kindling.worker.data;

/** Why a line cannot be used, without its place, which its reader adds. */
final class BadLine extends RuntimeException {
  private static final long serialVersionUID = 1L;

  /** Bytes behind the start of the line. */
  private final long offset;

  BadLine(String reason) {
    this(0, reason);
  }

  BadLine(long offset, String reason) {
    super(reason);
    this.offset = offset;
  }

  long offset() {
    return offset;
  }
}
