package dev.kindling.comm.ring;

import dev.kindling.comm.reduce.SpanView;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;

/** The receiving direction of a socket, with a window of its own. */
final class SocketInlet implements Inlet {
  private final SocketChannel channel;
  private final SpanView window;
  private final Seal seal = new Seal();
  private final boolean sealed;
  private long held;
  private long released;

  /**
   * @param sealed whether what is streamed is followed by its sum
   */
  SocketInlet(SocketChannel channel, int windowBytes, boolean sealed) {
    this.channel = channel;
    this.sealed = sealed;
    window = SpanView.of(ByteBuffer.allocateDirect(windowBytes));
  }

  @Override
  public void begin() {
    held = 0;
    released = 0;
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
    return seal.read(channel);
  }

  @Override
  public String damage() {
    return seal.damage();
  }

  @Override
  public int move(SpanView view, int at, int count) throws IOException {
    try {
      return channel.read(view.bytes().limit(at + count).position(at));
    } finally {
      view.bytes().clear();
    }
  }

  @Override
  public int hold(int count) throws IOException {
    int total = 0;
    int left = (int) Math.min(count, room());
    while (left > 0) {
      int at = place(held);
      int want = Math.min(left, window.length() - at);
      int got = move(window, at, want);
      if (got < 0) {
        return total > 0 ? total : got;
      }
      sum(window, at, got);
      held += got;
      total += got;
      left = got == want ? left - got : 0;
    }
    return total;
  }

  @Override
  public long room() {
    return window.length() + released - held;
  }

  @Override
  public void release(long bytes) {
    released = bytes;
  }

  @Override
  public SpanView window() {
    return window;
  }

  @Override
  public int place(long index) {
    return (int) (index & (window.length() - 1));
  }
}
