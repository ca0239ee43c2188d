package dev.kindling.kernels.testing;

import dev.kindling.kernels.backend.Communicator;
import dev.kindling.kernels.backend.Reduction;
import dev.kindling.kernels.graph.DType;
import dev.kindling.kernels.memory.Span;

/** Two ranks that always hold the same: a sum doubles. Counts its calls. */
public final class TwinCommunicator implements Communicator {
  private int calls;

  public int calls() {
    return calls;
  }

  @Override
  public int rank() {
    return 0;
  }

  @Override
  public int worldSize() {
    return 2;
  }

  @Override
  public void allReduce(Span data, DType dtype, Reduction op) {
    calls++;
    for (int i = 0; i < data.bytes() / Float.BYTES; i++) {
      data.putFloat(i, 2 * data.getFloat(i));
    }
  }

  @Override
  public void allGather(Span send, Span receive) {
    throw new UnsupportedOperationException();
  }

  @Override
  public void reduceScatter(Span send, Span receive, DType dtype, Reduction op) {
    throw new UnsupportedOperationException();
  }

  @Override
  public void broadcast(Span data, int root) {
    throw new UnsupportedOperationException();
  }

  @Override
  public void allToAll(Span send, Span receive) {
    throw new UnsupportedOperationException();
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
  public void close() {}
}
