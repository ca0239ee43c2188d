package dev.kindling.worker.store;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * A stream into a fresh name. After a failed force the pages may be marked clean, so a second force
 * would lie: never retried.
 */
final class LocalOutput implements StorageOutput {
  private final Path path;
  private final FileChannel channel;
  private boolean committed;

  LocalOutput(Path path, FileChannel channel) {
    this.path = path;
    this.channel = channel;
  }

  @Override
  public void write(ByteBuffer content) throws IOException {
    while (content.hasRemaining()) {
      channel.write(content);
    }
  }

  @Override
  public void commit() throws IOException {
    channel.force(true);
    channel.close();
    LocalStorage.forceFolder(LocalStorage.folderOf(path));
    committed = true;
  }

  @Override
  public void close() throws IOException {
    channel.close();
    if (!committed) {
      Files.deleteIfExists(path);
    }
  }
}
