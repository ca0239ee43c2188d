package dev.kindling.worker.store;

import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;

/** A stored file from its first byte to its last; reads straight from the store. */
public final class ForwardStream extends InputStream {
  private final StorageInput input;
  private final long length;
  private long at;

  public ForwardStream(StorageInput input) throws IOException {
    this.input = input;
    this.length = input.length();
  }

  @Override
  public int read() throws IOException {
    byte[] one = new byte[1];
    return read(one, 0, 1) < 0 ? -1 : one[0] & 0xff;
  }

  @Override
  public int read(byte[] target, int offset, int count) throws IOException {
    if (at == length) {
      return -1;
    }
    int step = (int) Math.min(count, length - at);
    input.readFully(at, ByteBuffer.wrap(target, offset, step));
    at += step;
    return step;
  }

  @Override
  public void close() throws IOException {
    input.close();
  }
}
