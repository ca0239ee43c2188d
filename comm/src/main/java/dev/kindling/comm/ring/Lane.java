package dev.kindling.comm.ring;

import dev.kindling.comm.reduce.SpanView;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.SocketChannel;

/** The authenticated connection to one peer and what moves over it now. */
final class Lane {
  final int peer;
  final SpanView window;
  final SpanView staging;
  final Track out;
  final Track in;
  boolean checked;
  private final SocketChannel channel;
  private final SelectionKey key;
  private int interest;

  Lane(int peer, SocketChannel channel, Selector selector, Tuning tuning, int worldSize)
      throws IOException {
    this.peer = peer;
    this.channel = channel;
    this.key = channel.register(selector, 0);
    window = SpanView.of(ByteBuffer.allocateDirect(tuning.windowBytes()));
    staging = SpanView.of(ByteBuffer.allocateDirect(Call.HEADER_BYTES + tuning.directBytes()));
    int pieces = 2 * worldSize + 2;
    out = new Track(pieces, tuning.stepBytes(), null);
    in = new Track(pieces, tuning.stepBytes(), window);
  }

  void clear() {
    out.clear();
    in.clear();
    checked = false;
  }

  int write() throws IOException {
    return out.wants() ? out.move(channel, true) : 0;
  }

  int read() throws IOException {
    return in.wants() ? in.move(channel, false) : 0;
  }

  boolean complete() {
    return out.complete() && in.complete();
  }

  /** Tells the selector what this lane waits for; a lane that waits for nothing is left out. */
  void listen() {
    int wanted =
        (in.wants() ? SelectionKey.OP_READ : 0) | (out.wants() ? SelectionKey.OP_WRITE : 0);
    if (wanted != interest) {
      interest = wanted;
      key.interestOps(wanted);
    }
  }

  void close() {
    try {
      channel.close();
    } catch (IOException e) {
      // Nothing to save: the peer sees the end of the stream either way.
      interest = 0;
    }
  }
}
