package dev.kindling.worker.checkpoint;

import dev.kindling.kernels.memory.Span;
import java.io.IOException;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;

/**
 * Reads tensors into their targets, several at a time. Targets are asked for room, and told that it
 * is filled or dropped, by the caller's thread and in order: they belong to a device.
 */
final class TargetFiller implements AutoCloseable {
  /** Rooms being filled: what a device keeps in host memory meanwhile, or one tensor if larger. */
  static final long MOST_BYTES = 256L << 20;

  /** Reads one tensor into its room and checks it there. */
  interface Read {
    void into(PartDescriptor part, StoredTensor tensor, Span room) throws IOException;
  }

  private record Pending(TensorTarget target, Span room, FutureTask<Void> read) {}

  private final Read read;
  private final ExecutorService threads;

  /** Rooms that this object holds: each leaves filled, or dropped at the end. */
  private final Deque<Pending> pending = new ArrayDeque<>();

  private long bytes;

  TargetFiller(Crew crew, Read read) {
    this.read = read;
    this.threads = Executors.newFixedThreadPool(crew.hands(), crew.threads("load"));
  }

  /** Begins to fill a target; waits for earlier ones while they hold too much. */
  void add(PartDescriptor part, StoredTensor tensor, TensorTarget target) throws IOException {
    while (!pending.isEmpty() && bytes + tensor.bytes() > MOST_BYTES) {
      finishFirst();
    }
    Span room = target.room();
    FutureTask<Void> reading =
        new FutureTask<>(
            () -> {
              read.into(part, tensor, room);
              return null;
            });
    // Before the thread may fail to start: from here on the room is this object's to give back.
    pending.add(new Pending(target, room, reading));
    bytes += room.bytes();
    threads.execute(reading);
  }

  /** Waits for all. */
  void finish() throws IOException {
    while (!pending.isEmpty()) {
      finishFirst();
    }
  }

  private void finishFirst() throws IOException {
    Pending first = pending.element();
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
    pending.remove();
    bytes -= first.room().bytes();
    first.target().filled(first.room());
  }

  /** Reads that were begun end before this returns, and before their rooms are given back. */
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
    while (!pending.isEmpty()) {
      Pending left = pending.remove();
      left.target().dropped(left.room());
    }
  }
}
