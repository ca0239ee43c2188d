package dev.kindling.worker.checkpoint;

import dev.kindling.worker.store.Storage;
import dev.kindling.worker.store.StorageEntry;
import dev.kindling.worker.store.StorageInput;
import dev.kindling.worker.store.StorageOutput;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.List;

/**
 * A storage whose process dies at the n-th operation: before it, in the middle of it, or just after
 * it.
 */
final class CrashingStorage implements Storage {
  enum When {
    BEFORE,
    HALFWAY,
    AFTER
  }

  /** Not an IOException: nobody may catch a death and go on. */
  static final class Died extends RuntimeException {
    private static final long serialVersionUID = 1;
  }

  interface Action<T> {
    T run() throws IOException;
  }

  private final Storage storage;
  private final int dieAt;
  private final When when;
  private int operations;

  CrashingStorage(Storage storage, int dieAt, When when) {
    this.storage = storage;
    this.dieAt = dieAt;
    this.when = when;
  }

  int operations() {
    return operations;
  }

  private <T> T counted(Action<T> action) throws IOException {
    operations++;
    if (operations > dieAt || (operations == dieAt && when != When.AFTER)) {
      throw new Died();
    }
    T result = action.run();
    if (operations == dieAt) {
      throw new Died();
    }
    return result;
  }

  @Override
  public String location() {
    return storage.location();
  }

  @Override
  public List<StorageEntry> list(String folder) throws IOException {
    return counted(() -> storage.list(folder));
  }

  @Override
  public StorageInput open(String name) throws IOException {
    return counted(() -> storage.open(name));
  }

  @Override
  public boolean commitExclusive(String name, byte[] content) throws IOException {
    return counted(() -> storage.commitExclusive(name, content));
  }

  @Override
  public void replace(String name, byte[] content) throws IOException {
    counted(
        () -> {
          storage.replace(name, content);
          return 0;
        });
  }

  @Override
  public boolean delete(String name) throws IOException {
    return counted(() -> storage.delete(name));
  }

  @Override
  public boolean deleteFolder(String folder) throws IOException {
    if (operations + 1 == dieAt && when == When.HALFWAY) {
      operations++;
      List<StorageEntry> entries = storage.list(folder);
      for (StorageEntry entry : entries.subList(0, entries.size() / 2)) {
        storage.delete(folder + "/" + entry.name());
      }
      throw new Died();
    }
    return counted(() -> storage.deleteFolder(folder));
  }

  @Override
  public boolean exists(String name) throws IOException {
    return counted(() -> storage.exists(name));
  }

  @Override
  public long length(String name) throws IOException {
    return counted(() -> storage.length(name));
  }

  @Override
  public void sweep(String folder) throws IOException {
    counted(
        () -> {
          storage.sweep(folder);
          return 0;
        });
  }

  @Override
  public StorageOutput create(String name) throws IOException {
    StorageOutput output = counted(() -> storage.create(name));
    return new StorageOutput() {
      @Override
      public void write(ByteBuffer content) throws IOException {
        if (operations + 1 == dieAt && when == When.HALFWAY) {
          operations++;
          output.write(content.slice(content.position(), content.remaining() / 2));
          throw new Died();
        }
        counted(
            () -> {
              output.write(content);
              return 0;
            });
      }

      @Override
      public void commit() throws IOException {
        counted(
            () -> {
              output.commit();
              return 0;
            });
      }

      @Override
      public void close() throws IOException {
        counted(
            () -> {
              output.close();
              return 0;
            });
      }
    };
  }
}
