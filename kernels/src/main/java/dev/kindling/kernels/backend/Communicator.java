package dev.kindling.kernels.backend;

import dev.kindling.kernels.graph.DType;
import dev.kindling.kernels.memory.Span;

/**
 * The ranks along one axis of the mesh. Every call blocks; all ranks make the same calls in the
 * same order; sums have a fixed order. Failures are {@link CollectiveException}s, after which the
 * communicator is unusable.
 */
public interface Communicator extends AutoCloseable {
  int rank();

  int worldSize();

  /** In place; the same bits on all ranks. */
  void allReduce(Span data, DType dtype, Reduction op);

  /** {@code receive} holds worldSize pieces of the size of {@code send}, in rank order. */
  void allGather(Span send, Span receive);

  /** {@code send} holds worldSize pieces; {@code receive} gets the reduced piece of this rank. */
  void reduceScatter(Span send, Span receive, DType dtype, Reduction op);

  void broadcast(Span data, int root);

  /** Piece i of {@code send} goes to rank i; piece i of {@code receive} comes from rank i. */
  void allToAll(Span send, Span receive);

  void send(Span data, int peer);

  void receive(Span data, int peer);

  /** Payload bytes sent since opening. */
  long bytesSent();

  /** Time that the host, or the main stream of its device, stood still for others since opening. */
  long waitNanos();

  @Override
  void close();
}
