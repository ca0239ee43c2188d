package dev.kindling.worker.checkpoint;

import dev.kindling.kernels.memory.Span;
import java.io.IOException;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;

/**
 * Reads tensors into their targets, several at a time. Targets are asked for room, and told that it
 * is filled, by the caller's thread and in order: they belong to a device.
 */
final class TargetFiller implements AutoCloseable {
  /** Rooms being filled: what a device keeps in host memory meanwhile, or one tensor if larger. */
  private static final long MOST_BYTES = 256L << 20;

  /** Reads one tensor into its room and checks it there. */
  interface Read {
    void into(PartDescriptor part, StoredTensor tensor, Span room) throws IOException;
  }

  private record Pending(TensorTarget target, Span room, Future<?> read) {}

  private final Read read;
  private final ExecutorService threads;
  private final Deque<Pending> pending = new ArrayDeque<>();
  private long bytes;

  TargetFiller(Read read) {
    this.read = read;
    this.threads =
        Executors.newFixedThreadPool(
            Crew.HANDS,
            body -> {
              Thread thread = new Thread(body, "load");
              thread.setDaemon(true);
              return thread;
            });
  }

  /** Begins to fill a target; waits for earlier ones while they hold too much. */
  void add(PartDescriptor part, StoredTensor tensor, TensorTarget target) throws IOException {
    while (!pending.isEmpty() && bytes + tensor.bytes() > MOST_BYTES) {
      finishFirst();
    }
    Span room = target.room();
    Future<?> reading =
        threads.submit(
            () -> {
              read.into(part, tensor, room);
              return null;
            });
    pending.add(new Pending(target, room, reading));
    bytes += room.bytes();
  }

  /** Waits for all. */
  void finish() throws IOException {
    while (!pending.isEmpty()) {
      finishFirst();
    }
  }

  private void finishFirst() throws IOException {
    Pending first = pending.remove();
    try {
      first.read().get();
    } catch (ExecutionException failed) {
      Crew.rethrow(failed.getCause());
      throw new IllegalStateException("a read failed", failed);
    } catch (InterruptedException stopped) {
      Thread.currentThread().interrupt();
      throw new CheckpointException(
          "tensor " + first.target().name() + ": interrupted while it was read", stopped);
    }
    bytes -= first.room().bytes();
    first.target().filled(first.room());
  }

  /** Reads that were begun end before this returns: whoever closes the rooms comes after. */
  @Override
  public void close() {
    threads.shutdownNow();
    boolean interrupted = false;
    boolean ended = false;
    while (!ended) {
      try {
        ended = threads.awaitTermination(1, TimeUnit.HOURS);
      } catch (InterruptedException stopped) {
        interrupted = true;
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }
}
