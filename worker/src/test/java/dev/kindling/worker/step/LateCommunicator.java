package dev.kindling.worker.step;

import dev.kindling.kernels.backend.Communicator;
import dev.kindling.kernels.backend.Reduction;
import dev.kindling.kernels.graph.DType;
import dev.kindling.kernels.memory.Span;
import java.util.Random;

/** Sleeps before and after every all-reduce, and counts them: timing may change no bit. */
public final class LateCommunicator implements Communicator {
  private final Communicator own;
  private final Random random;
  private final int millisMax;
  private int allReduces;

  /**
   * @param millisMax longest sleep, 0 for none
   */
  public LateCommunicator(Communicator own, long seed, int millisMax) {
    this.own = own;
    this.random = new Random(seed * 31 + own.rank());
    this.millisMax = millisMax;
  }

  public int allReduces() {
    return allReduces;
  }

  private void sleep() {
    try {
      Thread.sleep(millisMax == 0 ? 0 : random.nextInt(millisMax));
    } catch (InterruptedException stopped) {
      Thread.currentThread().interrupt();
    }
  }

  @Override
  public void allReduce(Span data, DType dtype, Reduction op) {
    allReduces++;
    sleep();
    own.allReduce(data, dtype, op);
    sleep();
  }

  @Override
  public int rank() {
    return own.rank();
  }

  @Override
  public int worldSize() {
    return own.worldSize();
  }

  @Override
  public void allGather(Span send, Span receive) {
    own.allGather(send, receive);
  }

  @Override
  public void reduceScatter(Span send, Span receive, DType dtype, Reduction op) {
    own.reduceScatter(send, receive, dtype, op);
  }

  @Override
  public void broadcast(Span data, int root) {
    own.broadcast(data, root);
  }

  @Override
  public void allToAll(Span send, Span receive) {
    own.allToAll(send, receive);
  }

  @Override
  public void send(Span data, int peer) {
    own.send(data, peer);
  }

  @Override
  public void receive(Span data, int peer) {
    own.receive(data, peer);
  }

  @Override
  public long bytesSent() {
    return own.bytesSent();
  }

  @Override
  public long waitNanos() {
    return own.waitNanos();
  }

  @Override
  public void close() {
    own.close();
  }
}
