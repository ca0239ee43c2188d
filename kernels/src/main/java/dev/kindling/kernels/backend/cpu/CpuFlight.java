package dev.kindling.kernels.backend.cpu;

import dev.kindling.kernels.backend.CollectiveException;
import dev.kindling.kernels.backend.Communicator;
import dev.kindling.kernels.backend.DeviceException;
import dev.kindling.kernels.backend.Flight;
import dev.kindling.kernels.backend.Reduction;
import dev.kindling.kernels.graph.DType;
import dev.kindling.kernels.memory.Span;
import java.nio.ByteBuffer;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/** One all-reduce of an arena on a thread of its own, which divides the sum too. */
final class CpuFlight implements Flight {
  private static final long LAST_WAIT_SECONDS = 10;

  private final Span payload;
  private final Communicator communicator;
  private final ExecutorService thread;
  private @Nullable Future<?> underWay;
  private long bytesSent;
  private long exposedNanos;

  CpuFlight(Span payload, Communicator communicator) {
    this.payload = payload;
    this.communicator = communicator;
    String name = "flight-rank-" + communicator.rank();
    thread =
        Executors.newSingleThreadExecutor(
            task -> {
              Thread made = new Thread(task, name);
              made.setDaemon(true);
              return made;
            });
  }

  @Override
  public void begin() {
    if (underWay != null) {
      throw new IllegalStateException("a flight: expected none under way, found one");
    }
    underWay = thread.submit(this::average);
  }

  private void average() {
    int ranks = communicator.worldSize();
    if (ranks == 1) {
      return;
    }
    communicator.allReduce(payload, DType.F32, Reduction.SUM);
    ByteBuffer sums = payload.buffer();
    for (int at = 0; at < sums.limit(); at += Float.BYTES) {
      // A quotient is rounded once, whatever the number of ranks.
      sums.putFloat(at, sums.getFloat(at) / ranks);
    }
  }

  @Override
  public void await() {
    Future<?> running = underWay;
    if (running == null) {
      return;
    }
    long start = System.nanoTime();
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
    bytesSent = communicator.bytesSent();
    exposedNanos += System.nanoTime() - start;
  }

  /** Who waits throws it, with its own trace below that of the thread. */
  private static RuntimeException failure(Throwable cause) {
    if (cause instanceof CollectiveException lost) {
      return new CollectiveException(String.valueOf(lost.getMessage()), lost);
    }
    return new DeviceException("replicas cannot average: " + cause, cause);
  }

  @Override
  public boolean isUnderWay() {
    return underWay != null;
  }

  @Override
  public long bytesSent() {
    return bytesSent;
  }

  @Override
  public long exposedNanos() {
    return exposedNanos;
  }

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
