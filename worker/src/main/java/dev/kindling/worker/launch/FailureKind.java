package dev.kindling.worker.launch;

/** Why an attempt ended badly; decides the exit code and whether another attempt makes sense. */
public enum FailureKind {
  UNEXPECTED(1, true),
  CONFIGURATION(2, false),
  DATA(3, false),
  CHECKPOINT(4, false),
  DEVICE(5, true),
  COMMUNICATION(6, true),
  LOST_WORKER(6, true),

  /** Slots of lost workers did not come back in time. */
  LOST_SLOTS(6, true);

  private final int exitCode;
  private final boolean retryable;

  FailureKind(int exitCode, boolean retryable) {
    this.exitCode = exitCode;
    this.retryable = retryable;
  }

  /** Exit code of the contract. */
  public int exitCode() {
    return exitCode;
  }

  /** Whether the driver may start another attempt within its budget. */
  public boolean retryable() {
    return retryable;
  }
}
