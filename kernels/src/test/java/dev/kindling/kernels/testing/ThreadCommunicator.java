package dev.kindling.kernels.testing;

import dev.kindling.kernels.backend.CollectiveException;
import dev.kindling.kernels.backend.Communicator;
import dev.kindling.kernels.backend.Reduction;
import dev.kindling.kernels.graph.DType;
import dev.kindling.kernels.memory.Span;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.BrokenBarrierException;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/**
 * The plainest communicator: threads show each other what they send, and everybody takes what is
 * his. Sums add in rank order. Counts its calls.
 */
public final class ThreadCommunicator implements Communicator {
  private static final long PATIENCE_SECONDS = 60;

  private final int rank;
  private final CyclicBarrier barrier;
  private final Span[] shown;
  private int calls;

  private ThreadCommunicator(int rank, CyclicBarrier barrier, Span[] shown) {
    this.rank = rank;
    this.barrier = barrier;
    this.shown = shown;
  }

  /** One communicator per rank, connected with each other. */
  public static List<ThreadCommunicator> create(int worldSize) {
    CyclicBarrier barrier = new CyclicBarrier(worldSize);
    Span[] shown = new Span[worldSize];
    List<ThreadCommunicator> all = new ArrayList<>();
    for (int rank = 0; rank < worldSize; rank++) {
      all.add(new ThreadCommunicator(rank, barrier, shown));
    }
    return all;
  }

  public int calls() {
    return calls;
  }

  @Override
  public int rank() {
    return rank;
  }

  @Override
  public int worldSize() {
    return shown.length;
  }

  private void show(Span span) {
    calls++;
    shown[rank] = span;
    await();
  }

  private void await() {
    try {
      barrier.await(PATIENCE_SECONDS, TimeUnit.SECONDS);
    } catch (InterruptedException | BrokenBarrierException | TimeoutException e) {
      throw new CollectiveException("rank " + rank + " waits for a rank that does not come", e);
    }
  }

  private float[] sum(Span like, int from) {
    float[] sum = new float[(int) like.bytes() / Float.BYTES];
    for (Span span : shown) {
      for (int i = 0; i < sum.length; i++) {
        sum[i] += span.getFloat(from + i);
      }
    }
    return sum;
  }

  @Override
  public void allReduce(Span data, DType dtype, Reduction op) {
    show(data);
    float[] sum = sum(data, 0);
    await();
    data.put(sum);
  }

  @Override
  public void reduceScatter(Span send, Span receive, DType dtype, Reduction op) {
    show(send);
    receive.put(sum(receive, rank * (int) receive.bytes() / Float.BYTES));
    await();
  }

  @Override
  public void allGather(Span send, Span receive) {
    show(send);
    for (int r = 0; r < shown.length; r++) {
      copy(shown[r].buffer(), receive, r * (int) send.bytes());
    }
    await();
  }

  @Override
  public void broadcast(Span data, int root) {
    show(data);
    if (rank != root) {
      copy(shown[root].buffer(), data, 0);
    }
    await();
  }

  @Override
  public void allToAll(Span send, Span receive) {
    show(send);
    int bytes = (int) send.bytes() / shown.length;
    for (int r = 0; r < shown.length; r++) {
      copy(shown[r].slice((long) rank * bytes, bytes).buffer(), receive, r * bytes);
    }
    await();
  }

  private static void copy(ByteBuffer from, Span to, int offset) {
    to.buffer().put(offset, from, 0, from.limit());
  }

  @Override
  public void send(Span data, int peer) {
    throw new UnsupportedOperationException();
  }

  @Override
  public void receive(Span data, int peer) {
    throw new UnsupportedOperationException();
  }

  @Override
  public long bytesSent() {
    return 0;
  }

  @Override
  public long waitNanos() {
    return 0;
  }

  @Override
  public void close() {
    barrier.reset();
  }
}
