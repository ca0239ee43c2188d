package dev.kindling.kernels.backend;

import dev.kindling.kernels.graph.DType;
import dev.kindling.kernels.graph.Node;
import dev.kindling.kernels.graph.PlanException;
import dev.kindling.kernels.graph.op.Collective;
import dev.kindling.kernels.memory.Span;

/**
 * The ranks along one axis of the mesh. Every call blocks; all ranks make the same calls in the
 * same order; sums have a fixed order. Failures are {@link CollectiveException}s, after which the
 * communicator is unusable.
 */
public interface Communicator extends AutoCloseable {
  int rank();

  int worldSize();

  /**
   * This communicator, for a node that cuts values into as many pieces as there are ranks.
   *
   * @param node a collective
   * @throws PlanException unless there are exactly so many ranks
   */
  default Communicator ofDegree(Node node, int degree) {
    if (worldSize() != degree) {
      throw refused(node, "a communicator of " + degree);
    }
    return this;
  }

  /**
   * This communicator, for a node with a root.
   *
   * @param node a collective
   * @throws PlanException if no rank is the root
   */
  default Communicator withRoot(Node node, int root) {
    if (root >= worldSize()) {
      throw refused(node, "more than " + root);
    }
    return this;
  }

  private PlanException refused(Node node, String expected) {
    String ranks = expected + " ranks on axis " + ((Collective) node.op()).axis();
    return new PlanException(node + ": expected " + ranks + ", found " + worldSize());
  }

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
