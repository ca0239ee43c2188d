package dev.kindling.kernels.backend;

import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/** A thread of the host on which a flight meets other ranks, one at a time. */
public final class FlightThread implements AutoCloseable {
  private static final long LAST_WAIT_SECONDS = 10;

  private final ExecutorService thread;
  private @Nullable Future<?> underWay;

  /**
   * @param rank for the name of the thread
   */
  public FlightThread(int rank) {
    thread =
        Executors.newSingleThreadExecutor(
            task -> {
              Thread made = new Thread(task, "flight-rank-" + rank);
              made.setDaemon(true);
              return made;
            });
  }

  /**
   * @throws IllegalStateException if one is under way
   */
  public void begin(Runnable flight) {
    if (underWay != null) {
      throw new IllegalStateException("a flight: expected none under way, found one");
    }
    underWay = thread.submit(flight);
  }

  public boolean isUnderWay() {
    return underWay != null;
  }

  /**
   * Returns when what is under way has ended. A failure is thrown here, with its own trace below.
   *
   * @throws CollectiveException if the communicator failed
   */
  public void await() {
    Future<?> running = underWay;
    if (running == null) {
      return;
    }
    try {
      running.get();
    } catch (ExecutionException failed) {
      Throwable cause = failed.getCause();
      throw failure(cause == null ? failed : cause);
    } catch (InterruptedException stopped) {
      Thread.currentThread().interrupt();
      throw new CollectiveException("interrupted while replicas average", stopped);
    }
    underWay = null;
  }

  private static RuntimeException failure(Throwable cause) {
    if (cause instanceof CollectiveException lost) {
      return new CollectiveException(String.valueOf(lost.getMessage()), lost);
    }
    return new DeviceException("replicas cannot average: " + cause, cause);
  }

  /** The communicator is closed already, so that what is under way ends. */
  @Override
  public void close() {
    thread.shutdownNow();
    try {
      if (!thread.awaitTermination(LAST_WAIT_SECONDS, TimeUnit.SECONDS)) {
        throw new CollectiveException(
            "a flight did not end within "
                + LAST_WAIT_SECONDS
                + " s of the end of its communicator");
      }
    } catch (InterruptedException stopped) {
      Thread.currentThread().interrupt();
    }
  }
}
