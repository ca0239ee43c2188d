package dev.kindling.worker.store;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.LongSupplier;

/**
 * A storage of which one can tell that it no longer answers. A file system that hangs throws
 * nothing, and its caller cannot be stopped: whoever must go on asks here, and leaves the thread
 * that waits to itself.
 */
public final class WatchedStorage implements Storage {
  private static final long LOOK_MILLIS = 50;

  private final Storage storage;
  private final Duration patience;
  private final AtomicInteger running = new AtomicInteger();
  private final LongSupplier clock;
  private volatile long lastNanos;

  /**
   * @param patience how long an operation may take before the storage counts as hung
   */
  public WatchedStorage(Storage storage, Duration patience) {
    this(storage, patience, System::nanoTime);
  }

  /**
   * @param clock in nanoseconds
   */
  WatchedStorage(Storage storage, Duration patience, LongSupplier clock) {
    this.storage = storage;
    this.patience = patience;
    this.clock = clock;
    lastNanos = clock.getAsLong();
  }

  /**
   * Why nobody should wait for this storage any longer: operations are under way, and for so long
   * none has ended. That another begins beside them is no sign of life.
   */
  public Optional<String> hung() {
    boolean silent = clock.getAsLong() - lastNanos > patience.toNanos();
    return running.get() > 0 && silent
        ? Optional.of(location() + ": no answer for " + patience.toSeconds() + " s")
        : Optional.empty();
  }

  /** Whether an operation that was begun has not ended. */
  public boolean isBusy() {
    return running.get() > 0;
  }

  /**
   * Runs work in a thread of its own; comes back when it has ended, or the storage hangs, at once
   * if it does already: then the work ends when the storage lets it.
   *
   * @return whether it ended
   */
  public boolean patiently(String name, Runnable work) {
    FutureTask<Boolean> task = new FutureTask<>(work, true);
    Thread thread = new Thread(task, name);
    thread.setDaemon(true);
    thread.start();
    try {
      while (hung().isEmpty()) {
        try {
          return task.get(LOOK_MILLIS, TimeUnit.MILLISECONDS);
        } catch (TimeoutException goesOn) {
          continue;
        }
      }
    } catch (InterruptedException stopped) {
      Thread.currentThread().interrupt();
    } catch (java.util.concurrent.ExecutionException failed) {
      if (failed.getCause() instanceof RuntimeException own) {
        throw own;
      }
      throw new IllegalStateException(failed.getCause());
    }
    return false;
  }

  private interface Operation<T> {
    T run() throws IOException;
  }

  private <T> T watched(Operation<T> operation) throws IOException {
    if (running.get() == 0) {
      lastNanos = clock.getAsLong();
    }
    running.incrementAndGet();
    try {
      return operation.run();
    } finally {
      lastNanos = clock.getAsLong();
      running.decrementAndGet();
    }
  }

  @Override
  public String location() {
    return storage.location();
  }

  @Override
  public List<StorageEntry> list(String folder) throws IOException {
    return watched(() -> storage.list(folder));
  }

  @Override
  public boolean commitExclusive(String name, byte[] content) throws IOException {
    return watched(() -> storage.commitExclusive(name, content));
  }

  @Override
  public boolean commitExclusive(String name, byte[] content, Check last) throws IOException {
    return watched(() -> storage.commitExclusive(name, content, last));
  }

  @Override
  public void replace(String name, byte[] content) throws IOException {
    watched(
        () -> {
          storage.replace(name, content);
          return 0;
        });
  }

  @Override
  public boolean delete(String name) throws IOException {
    return watched(() -> storage.delete(name));
  }

  @Override
  public boolean deleteFolder(String folder) throws IOException {
    return watched(() -> storage.deleteFolder(folder));
  }

  @Override
  public boolean exists(String name) throws IOException {
    return watched(() -> storage.exists(name));
  }

  @Override
  public long length(String name) throws IOException {
    return watched(() -> storage.length(name));
  }

  @Override
  public void sweep(String folder) throws IOException {
    watched(
        () -> {
          storage.sweep(folder);
          return 0;
        });
  }

  @Override
  public StorageInput open(String name) throws IOException {
    StorageInput input = watched(() -> storage.open(name));
    return new StorageInput() {
      @Override
      public long length() throws IOException {
        return watched(input::length);
      }

      @Override
      public void readFully(long position, ByteBuffer target) throws IOException {
        watched(
            () -> {
              input.readFully(position, target);
              return 0;
            });
      }

      @Override
      public void close() throws IOException {
        watched(
            () -> {
              input.close();
              return 0;
            });
      }
    };
  }

  @Override
  public StorageOutput create(String name) throws IOException {
    StorageOutput output = watched(() -> storage.create(name));
    return new StorageOutput() {
      @Override
      public void write(ByteBuffer content) throws IOException {
        watched(
            () -> {
              output.write(content);
              return 0;
            });
      }

      @Override
      public void commit() throws IOException {
        watched(
            () -> {
              output.commit();
              return 0;
            });
      }

      @Override
      public void close() throws IOException {
        watched(
            () -> {
              output.close();
              return 0;
            });
      }
    };
  }
}
