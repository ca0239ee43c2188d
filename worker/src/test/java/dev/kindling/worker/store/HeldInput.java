package dev.kindling.worker.store;

import java.io.EOFException;
import java.nio.ByteBuffer;

/** A file whose bytes a test holds. */
public record HeldInput(byte[] content) implements StorageInput {
  @Override
  public long length() {
    return content.length;
  }

  @Override
  public void readFully(long position, ByteBuffer target) throws EOFException {
    if (position + target.remaining() > content.length) {
      throw new EOFException("byte " + content.length);
    }
    target.put(content, (int) position, target.remaining());
  }

  @Override
  public void close() {}
}
