package dev.kindling.driver.store;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import org.apache.hadoop.fs.FSInputStream;

/** Bytes in memory, read as from a store. */
final class MemoryInput extends FSInputStream {
  private final ByteArrayInputStream bytes;
  private final int length;

  MemoryInput(byte[] content) {
    bytes = new ByteArrayInputStream(content);
    length = content.length;
  }

  @Override
  public void seek(long position) throws IOException {
    if (position < 0 || position > length) {
      throw new java.io.EOFException("seek to " + position);
    }
    bytes.reset();
    bytes.skip(position);
  }

  @Override
  public long getPos() {
    return (long) length - bytes.available();
  }

  @Override
  public boolean seekToNewSource(long position) {
    return false;
  }

  @Override
  public int read() {
    return bytes.read();
  }

  @Override
  public int read(byte[] target, int offset, int count) {
    return bytes.read(target, offset, count);
  }
}
