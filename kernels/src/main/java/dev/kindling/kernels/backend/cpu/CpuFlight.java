package dev.kindling.kernels.backend.cpu;

import dev.kindling.kernels.backend.Communicator;
import dev.kindling.kernels.backend.Flight;
import dev.kindling.kernels.backend.FlightThread;
import dev.kindling.kernels.backend.Reduction;
import dev.kindling.kernels.graph.DType;
import dev.kindling.kernels.memory.Span;
import java.nio.ByteBuffer;

/** One all-reduce of an arena on a thread of its own, which divides the sum too. */
final class CpuFlight implements Flight {
  private final Span payload;
  private final Communicator communicator;
  private final FlightThread thread;
  private long bytesSent;
  private long exposedNanos;

  CpuFlight(Span payload, Communicator communicator) {
    this.payload = payload;
    this.communicator = communicator;
    thread = new FlightThread(communicator.rank());
  }

  @Override
  public void begin() {
    thread.begin(this::average);
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
    if (!thread.isUnderWay()) {
      return;
    }
    long start = System.nanoTime();
    thread.await();
    bytesSent = communicator.bytesSent();
    exposedNanos += System.nanoTime() - start;
  }

  @Override
  public boolean isUnderWay() {
    return thread.isUnderWay();
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
    thread.close();
  }
}
