package dev.kindling.worker.store;

import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;

/** Positional reads of one file; safe for one thread at a time. */
public interface StorageInput extends Closeable {
  long length() throws IOException;

  /**
   * Fills the buffer's remaining space from {@code position}; throws {@link java.io.EOFException}
   * when the file ends before.
   */
  void readFully(long position, ByteBuffer target) throws IOException;

  @Override
  void close() throws IOException;
}
