package dev.kindling.comm.ring;

import dev.kindling.comm.reduce.SpanView;
import java.io.IOException;
import java.nio.channels.SocketChannel;

/**
 * The sending direction of a socket.
 *
 * @param sealed whether what is streamed is followed by its sum
 */
record SocketOutlet(SocketChannel channel, Seal seal, boolean sealed) implements Port {
  SocketOutlet(SocketChannel channel, boolean sealed) {
    this(channel, new Seal(), sealed);
  }

  @Override
  public void begin() {
    seal.begin();
  }

  @Override
  public int sealBytes() {
    return sealed ? Seal.BYTES : 0;
  }

  @Override
  public void sum(SpanView view, int at, int count) {
    if (sealed) {
      seal.add(view, at, count);
    }
  }

  @Override
  public int moveSeal() throws IOException {
    return seal.write(channel);
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
