package dev.kindling.kernels.backend;

import dev.kindling.kernels.backend.cuda.layout.Element;

/**
 * A communicator whose ranks hold a device each. The calls that take addresses put work on a stream
 * of the device and return: they do not wait for the other ranks, and a stream that is being
 * captured only records them. Calls on spans go to the host's own communicator, which is there for
 * bookkeeping.
 *
 * <p>Addresses are device memory; counts are in elements; a stream is its native handle. All ranks
 * make the same calls in the same order. A watchdog ends work that cannot end by itself; every call
 * after that, {@link #check} and {@link #completed} included, is a {@link CollectiveException} that
 * says why.
 *
 * <p>Close it after every program that was compiled for it and before the device.
 */
public interface DeviceCommunicator extends Communicator {
  /** Sums or maxima over the ranks; both addresses may be the same. */
  void allReduce(long send, long receive, long count, Element element, Reduction op, long stream);

  /**
   * @param send worldSize pieces
   * @param receive the reduced piece of this rank
   * @param count of one piece
   */
  void reduceScatter(
      long send, long receive, long count, Element element, Reduction op, long stream);

  /**
   * @param send the piece of this rank
   * @param receive worldSize pieces, in rank order
   * @param count of one piece
   */
  void allGather(long send, long receive, long count, Element element, long stream);

  /**
   * What the root has at {@code send}, all get at {@code receive}; both may be the same.
   *
   * @param root its rank
   */
  void broadcast(long send, long receive, long count, Element element, int root, long stream);

  /**
   * Piece i at {@code send} goes to rank i, piece i at {@code receive} comes from rank i.
   *
   * @param count of one piece
   */
  void allToAll(long send, long receive, long count, Element element, long stream);

  void send(long address, long count, Element element, int peer, long stream);

  void receive(long address, long count, Element element, int peer, long stream);

  /** Calls up to {@link #groupEnd} become one launch; they may not depend on each other. */
  void groupBegin();

  /** Ends the group even after a failure, which it then tells once more. */
  void groupEnd();

  /** These calls as one group, which is ended whatever becomes of them. */
  default void group(Runnable calls) {
    groupBegin();
    try {
      calls.run();
    } catch (RuntimeException | Error failure) {
      try {
        groupEnd();
      } catch (RuntimeException again) {
        failure.addSuppressed(again);
      }
      throw failure;
    }
    groupEnd();
  }

  /**
   * Says that work which holds calls of this communicator was handed to the device; the watchdog
   * looks at its watch from here on.
   *
   * @param work its name, for messages
   * @param sentBytes payload that this rank sends in it
   */
  void submitted(String work, long sentBytes);

  /** Says that the oldest work handed over has ended, and fails if the communicator has failed. */
  void completed();

  /**
   * Says that in work which has ended the device stood still for this long, because collectives of
   * this communicator had not; {@link #waitNanos} holds it too.
   */
  void exposed(long nanos);

  /** Whether something ended its work; {@link #check} says what. */
  boolean failed();

  /** Fails if the communicator has failed. */
  void check();
}
