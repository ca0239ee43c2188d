package dev.kindling.driver.store;

import dev.kindling.worker.store.StorageInput;
import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import org.apache.hadoop.fs.FSDataInputStream;
import org.apache.hadoop.fs.Path;

/**
 * Seeks only where the caller leaves the order of the file: a positional read of Hadoop's opens a
 * connection or a request each, and checkpoints are read block by block.
 */
final class HadoopInput implements StorageInput {
  private static final int CHUNK_BYTES = 1 << 16;

  private final Path path;
  private final FSDataInputStream stream;
  private final long length;
  private final byte[] chunk = new byte[CHUNK_BYTES];

  HadoopInput(Path path, FSDataInputStream stream, long length) {
    this.path = path;
    this.stream = stream;
    this.length = length;
  }

  @Override
  public long length() {
    return length;
  }

  @Override
  public void readFully(long position, ByteBuffer target) throws IOException {
    long at = position;
    // Before a seek, which some streams refuse beyond the end with another exception.
    if (position + target.remaining() > length) {
      throw ended(length, position + target.remaining() - length);
    }
    if (stream.getPos() != position) {
      stream.seek(position);
    }
    while (target.hasRemaining()) {
      int count = stream.read(chunk, 0, Math.min(chunk.length, target.remaining()));
      if (count < 0) {
        throw ended(at, target.remaining());
      }
      target.put(chunk, 0, count);
      at += count;
    }
  }

  private EOFException ended(long at, long missing) {
    return new EOFException(
        path + ": byte " + at + ": expected " + missing + " more bytes, found the end of the file");
  }

  @Override
  public void close() throws IOException {
    stream.close();
  }
}
