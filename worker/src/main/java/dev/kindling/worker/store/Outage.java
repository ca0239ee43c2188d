package dev.kindling.worker.store;

import java.io.InterruptedIOException;
import java.net.SocketException;
import java.net.UnknownHostException;
import java.nio.channels.ClosedByInterruptException;
import java.util.concurrent.TimeoutException;
import org.jspecify.annotations.Nullable;

/**
 * Failures that say that a store could not be reached, and nothing about what lies in it: another
 * attempt may find it good, so they are no faults of data.
 */
public final class Outage {
  private Outage() {}

  /** Whether a connection that failed, a timeout or an interrupt is behind a failure. */
  public static boolean isBehind(Throwable failure) {
    for (@Nullable Throwable cause = failure; cause != null; cause = cause.getCause()) {
      if (cause instanceof SocketException
          || cause instanceof UnknownHostException
          || cause instanceof InterruptedIOException
          || cause instanceof ClosedByInterruptException
          || cause instanceof TimeoutException
          || cause instanceof InterruptedException) {
        return true;
      }
    }
    return false;
  }

  /**
   * What to throw of an outage.
   *
   * @param what could not be reached
   */
  public static OutageException of(String what, Exception failure) {
    return new OutageException(what + ": cannot be reached: " + failure, failure);
  }
}
