package dev.kindling.kernels.backend;

/**
 * The mean over ranks of all variables of one role, on its way while programs run. What it averages
 * is what the programs submitted before {@link #begin} left there; no program between begin and
 * {@link #await} may touch the role. So no bit depends on how long it takes.
 *
 * <p>All ranks make the same calls in the same order. Failures of the communicator come out of
 * {@link #await}, or of {@link #begin} if it has failed before.
 */
public interface Flight extends AutoCloseable {
  /** Begins behind all programs submitted so far; returns before it ends. */
  void begin();

  /**
   * Programs submitted from here on find the mean. Returns at once if nothing is on its way.
   *
   * @throws CollectiveException if a rank is lost
   */
  void await();

  /** Whether it was begun and not waited for. */
  boolean isUnderWay();

  /** Payload bytes that this rank sent, since opening, in flights that were waited for. */
  long bytesSent();

  /** Time that {@link #await} stood still, or its device did, since opening. */
  long exposedNanos();

  /** Ends what is under way; its communicator is closed already. */
  @Override
  void close();
}
