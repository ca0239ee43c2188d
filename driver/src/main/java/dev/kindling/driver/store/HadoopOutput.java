package dev.kindling.driver.store;

import dev.kindling.worker.store.StorageOutput;
import java.io.IOException;
import java.nio.ByteBuffer;
import org.apache.hadoop.fs.FSDataOutputStream;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.StreamCapabilities;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A stream into a fresh name. Closing a stream of Hadoop's publishes what it holds, whole or not:
 * an unfinished one is aborted where the store can, and else its file is deleted at once. A file
 * whose writer died before either stays open on HDFS until the lease ends; nothing waits for that,
 * since names are used once and a file may be deleted under its writer.
 */
final class HadoopOutput implements StorageOutput {
  private static final int CHUNK_BYTES = 1 << 16;
  private static final Logger LOG = LoggerFactory.getLogger(HadoopOutput.class);

  private final FileSystem files;
  private final Path path;
  private final FSDataOutputStream stream;
  private final byte[] chunk = new byte[CHUNK_BYTES];
  private boolean committed;
  private boolean closed;

  HadoopOutput(FileSystem files, Path path, FSDataOutputStream stream) {
    this.files = files;
    this.path = path;
    this.stream = stream;
  }

  @Override
  public void write(ByteBuffer content) throws IOException {
    while (content.hasRemaining()) {
      int count = Math.min(chunk.length, content.remaining());
      content.get(chunk, 0, count);
      stream.write(chunk, 0, count);
    }
  }

  /** On HDFS {@code close} alone leaves the last block in the data nodes' page caches. */
  @Override
  public void commit() throws IOException {
    if (stream.hasCapability(StreamCapabilities.HSYNC)) {
      stream.hsync();
    }
    stream.close();
    committed = true;
  }

  @Override
  public void close() throws IOException {
    if (committed || closed) {
      return;
    }
    closed = true;
    if (stream.hasCapability(StreamCapabilities.ABORTABLE_STREAM)) {
      stream.abort();
      return;
    }
    try {
      stream.close();
    } catch (IOException known) {
      // HDFS throws the very exception that a write threw, which nobody can add to itself.
      LOG.debug("{}: given up", path, known);
    }
    files.delete(path, false);
  }
}
