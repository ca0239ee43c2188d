package dev.kindling.worker.store;

import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;

/**
 * A new file being written. {@link #close} without a successful {@link #commit} throws the file
 * away, so that an exception inside try-with-resources can never publish a truncated file (Hadoop's
 * streams do exactly that on close).
 */
public interface StorageOutput extends Closeable {
  /** Appends everything that remains in the buffer. */
  void write(ByteBuffer content) throws IOException;

  /**
   * Bytes and name reach the disk before this returns; the stream is closed. A failed commit is
   * final: use a new name.
   */
  void commit() throws IOException;

  /** Aborts unless committed; may be called twice. */
  @Override
  void close() throws IOException;
}
