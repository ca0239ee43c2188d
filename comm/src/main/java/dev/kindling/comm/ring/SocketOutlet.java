package dev.kindling.comm.ring;

import dev.kindling.comm.reduce.SpanView;
import java.io.IOException;
import java.nio.channels.SocketChannel;

/** The sending direction of a socket. */
record SocketOutlet(SocketChannel channel) implements Port {
  @Override
  public void begin() {
    // A socket keeps nothing between collectives.
  }

  @Override
  public int move(SpanView view, int at, int count) throws IOException {
    try {
      return channel.write(view.bytes().limit(at + count).position(at));
    } finally {
      view.bytes().clear();
    }
  }
}
