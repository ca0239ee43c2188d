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
}
