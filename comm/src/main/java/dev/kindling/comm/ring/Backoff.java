package dev.kindling.comm.ring;

/**
 * When a peer that refused a connection may be asked again: soon at first, for it may only be late,
 * then twice as late each time, so that a dead one costs neither a processor nor a full log.
 */
final class Backoff {
  private static final long FIRST_NANOS = 10_000_000L;
  private static final long LONGEST_NANOS = 200_000_000L;

  private long pauseNanos;
  private long refusedNanos;

  /**
   * @param now on the clock of {@link System#nanoTime}
   * @return true the first time
   */
  boolean refused(long now) {
    boolean first = pauseNanos == 0;
    pauseNanos = first ? FIRST_NANOS : Math.min(2 * pauseNanos, LONGEST_NANOS);
    refusedNanos = now;
    return first;
  }

  /**
   * @param now on the clock of {@link System#nanoTime}
   */
  boolean mayAsk(long now) {
    return pauseNanos == 0 || now - refusedNanos >= pauseNanos;
  }
}
