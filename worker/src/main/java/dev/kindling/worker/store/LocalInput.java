package dev.kindling.worker.store;

import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;

/**
 * Reads through a channel, never a mapping: a mapped file that another process truncates kills the
 * JVM in native code.
 */
final class LocalInput implements StorageInput {
  private final Path path;
  private final FileChannel channel;

  LocalInput(Path path, FileChannel channel) {
    this.path = path;
    this.channel = channel;
  }

  @Override
  public long length() throws IOException {
    return channel.size();
  }

  @Override
  public void readFully(long position, ByteBuffer target) throws IOException {
    long at = position;
    while (target.hasRemaining()) {
      int count = channel.read(target, at);
      if (count < 0) {
        throw new EOFException(
            path
                + ": byte "
                + at
                + ": expected "
                + target.remaining()
                + " more bytes, found the end of the file");
      }
      at += count;
    }
  }

  @Override
  public void close() throws IOException {
    channel.close();
  }
}
