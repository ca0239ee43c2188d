package dev.kindling.comm.ring;

import dev.kindling.comm.reduce.SpanView;
import java.io.IOException;

/** One direction of a connection, without waiting. */
interface Port {
  /** Starts a collective. */
  void begin();

  /**
   * Moves at most {@code count} bytes between {@code view} at {@code at} and the peer.
   *
   * @return the bytes moved, -1 when the peer closed the connection
   */
  int move(SpanView view, int at, int count) throws IOException;

  /**
   * Bytes behind what is streamed that {@link #moveSeal} moves, 0 if nothing can change on the way.
   */
  default int sealBytes() {
    return 0;
  }

  /** Takes bytes that moved into the sum that the seal tells. */
  default void sum(SpanView view, int at, int count) {
    // Memory of this host: nothing to sum.
  }

  /** Moves what it can of the seal; as {@link #move}. */
  default int moveSeal() throws IOException {
    return 0;
  }
}
