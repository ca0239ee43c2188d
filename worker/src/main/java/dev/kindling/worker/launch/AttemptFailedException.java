package dev.kindling.worker.launch;

import org.jspecify.annotations.Nullable;

/** An attempt failed; carries the most telling failure of its ranks. */
public final class AttemptFailedException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  private final FailureKind kind;
  private final int rank;

  /**
   * @param rank the rank that failed first as far as known, -1 if unknown
   */
  public AttemptFailedException(
      FailureKind kind, int rank, String message, @Nullable Throwable cause) {
    super(message, cause);
    this.kind = kind;
    this.rank = rank;
  }

  public FailureKind kind() {
    return kind;
  }

  public int rank() {
    return rank;
  }
}
