package dev.kindling.comm.nccl;

import dev.kindling.kernels.backend.Reduction;
import dev.kindling.kernels.backend.cuda.layout.Element;

/**
 * One non-blocking communicator of the library: each call may return IN_PROGRESS, and then nothing
 * else may be called, except {@link #asyncError} and {@link #abort}, until that tells another code.
 * Addresses, counts and streams as in the port; every returned int is a result code.
 */
interface NcclHandle {
  /** State of the communicator at index 0. */
  int asyncError(int[] code);

  /** What the library says about its last failure; may be empty. */
  String lastError();

  int allReduce(long send, long receive, long count, Element element, Reduction op, long stream);

  int reduceScatter(
      long send, long receive, long count, Element element, Reduction op, long stream);

  int allGather(long send, long receive, long count, Element element, long stream);

  int broadcast(long send, long receive, long count, Element element, int root, long stream);

  int send(long address, long count, Element element, int peer, long stream);

  int receive(long address, long count, Element element, int peer, long stream);

  int groupStart();

  int groupEnd();

  /** Blocks until every captured graph that holds a call of this communicator is gone. */
  int destroy();

  /**
   * Makes running kernels end at once, then blocks as {@link #destroy}. May be called beside a
   * running call.
   */
  int abort();
}
