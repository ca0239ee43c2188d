package dev.kindling.worker.checkpoint;

import dev.kindling.kernels.fault.Failpoint;
import dev.kindling.kernels.memory.Span;
import dev.kindling.worker.store.WatchedStorage;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;

/**
 * One thread that writes some of a rank's parts one after the other. Pieces come in buffers that
 * belong to the sink and go back to it, written or not, so that whoever fills them never waits for
 * a sink that has failed.
 */
final class PartSink {
  /** One is filled while the other is written. */
  private static final int BUFFERS = 2;

  /** A file to be written, by its index among the rank's. */
  record Part(int index, String file, List<TensorSource> tensors) {}

  /** How often a thread that waits for a sink looks whether the storage still answers. */
  private static final long LOOK_MILLIS = 100;

  private final WatchedStorage storage;
  private final String folder;
  private final RankParts parts;
  private final List<Part> own;
  private final AtomicReference<@Nullable Throwable> failure;
  private final BlockingQueue<Span> free = new ArrayBlockingQueue<>(BUFFERS);

  /** Of all buffers: one allocation, so that none is left behind by one that fails. */
  private final Span memory;

  private final ExecutorService thread;

  /**
   * Finished, in order; the part at this place of {@link #own} is the next one or being written.
   */
  private final List<PartDescriptor> written = new CopyOnWriteArrayList<>();

  private @Nullable SafetensorsWriter writer;

  PartSink(
      WatchedStorage storage,
      String folder,
      RankParts parts,
      List<Part> own,
      AtomicReference<@Nullable Throwable> failure) {
    this.storage = storage;
    this.folder = folder;
    this.parts = parts;
    this.own = own;
    this.failure = failure;
    long bytes = bufferBytes(own);
    memory = Span.allocate(BUFFERS * Span.aligned(bytes));
    for (int i = 0; i < BUFFERS; i++) {
      free.add(memory.slice(i * Span.aligned(bytes), bytes));
    }
    String name = "save-rank-" + parts.rank() + "-" + own.get(0).index();
    thread =
        Executors.newSingleThreadExecutor(
            body -> {
              Thread writing = new Thread(body, name);
              writing.setDaemon(true);
              return writing;
            });
  }

  private static long bufferBytes(List<Part> own) {
    long most = 0;
    for (Part part : own) {
      most = Math.max(most, part.tensors().stream().mapToLong(TensorSource::bytes).max().orElse(0));
    }
    return Math.min(PartCut.PIECE_BYTES, most);
  }

  /**
   * A buffer to fill; waits until the sink has written one.
   *
   * @throws CheckpointException if the storage no longer answers
   */
  Span freeBuffer() {
    try {
      Span buffer = free.poll(LOOK_MILLIS, TimeUnit.MILLISECONDS);
      while (buffer == null) {
        requireAnswer();
        buffer = free.poll(LOOK_MILLIS, TimeUnit.MILLISECONDS);
      }
      return buffer;
    } catch (InterruptedException stopped) {
      Thread.currentThread().interrupt();
      throw new CheckpointException(path() + ": interrupted while it was written", stopped);
    }
  }

  /** Hands over the next piece of this sink; the buffer is the sink's again. */
  void append(PartCut.Piece piece, String tensor, Span buffer) {
    thread.execute(
        () -> {
          // Two steps, since the tensor has no part in what happens to the file before its own.
          guarded(() -> finishBefore(piece.part()), "");
          guarded(
              () -> write(tensor, buffer.slice(0, piece.bytes()).buffer()), ": tensor " + tensor);
          free.add(buffer);
        });
  }

  /** All pieces have been handed over: what is left is finished. */
  void end() {
    thread.execute(() -> guarded(() -> finishBefore(Integer.MAX_VALUE), ""));
  }

  private interface Step {
    void run() throws IOException;
  }

  /** A failure here or in another sink ends this one: every later step does nothing. */
  private void guarded(Step step, String what) {
    if (failure.get() != null) {
      return;
    }
    try {
      step.run();
    } catch (IOException failed) {
      failure.compareAndSet(null, CheckpointException.of(storage, path() + what, failed));
    } catch (RuntimeException | Error failed) {
      failure.compareAndSet(null, failed);
    }
  }

  private void write(String tensor, ByteBuffer piece) throws IOException {
    SafetensorsWriter open = opened();
    Failpoint.PART_WRITE.before();
    open.append(tensor, piece);
    Failpoint.PART_WRITE.after();
  }

  private void finishBefore(int index) throws IOException {
    while (written.size() < own.size() && own.get(written.size()).index() < index) {
      SafetensorsWriter open = opened();
      SafetensorsWriter.Written done = open.finish();
      writer = null;
      written.add(
          new PartDescriptor(
              folder,
              own.get(written.size()).file(),
              parts.kind(),
              parts.rank(),
              parts.worldSize(),
              done.hash(),
              done.tensors()));
    }
  }

  private SafetensorsWriter opened() throws IOException {
    SafetensorsWriter open = writer;
    if (open == null) {
      List<SafetensorsWriter.Declared> declared = new ArrayList<>();
      for (TensorSource tensor : own.get(written.size()).tensors()) {
        declared.add(
            new SafetensorsWriter.Declared(
                tensor.name(),
                SafetensorsType.of(tensor.dtype()),
                TensorEntry.dims(tensor.shape())));
      }
      Failpoint.PART_CREATE.before();
      // Other tools look for this key before they load a file as PyTorch weights.
      open = new SafetensorsWriter(storage, path(), declared, Map.of("format", "pt"));
      Failpoint.PART_CREATE.after();
      writer = open;
    }
    return open;
  }

  private String path() {
    int place = Math.min(written.size(), own.size() - 1);
    return folder + "/" + own.get(place).file();
  }

  List<PartDescriptor> written() {
    return written;
  }

  private void requireAnswer() {
    storage
        .hung()
        .ifPresent(
            text -> {
              throw new CheckpointException(text + "; " + path() + " is left");
            });
  }

  /**
   * Waits until everything handed over is done or skipped and a half-written file is removed, but
   * not for a storage that hangs: that is a failure, and the thread ends when the storage lets it.
   */
  void await() {
    thread.execute(
        () -> {
          closeWriter();
          if (failure.get() != null) {
            drop();
          }
          memory.close();
        });
    thread.shutdown();
    boolean interrupted = false;
    boolean ended = false;
    while (!ended) {
      try {
        ended = thread.awaitTermination(LOOK_MILLIS, TimeUnit.MILLISECONDS);
        if (!ended) {
          requireAnswer();
        }
      } catch (InterruptedException stopped) {
        interrupted = true;
      } catch (CheckpointException hung) {
        failure.compareAndSet(null, hung);
        ended = true;
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }

  private void closeWriter() {
    SafetensorsWriter open = writer;
    writer = null;
    if (open != null) {
      try {
        open.close();
      } catch (IOException left) {
        failure.compareAndSet(null, CheckpointException.of(storage, path(), left));
      }
    }
  }

  /**
   * Removes the files that this sink finished, of a save that failed: a full disk needs the room.
   */
  void drop() {
    for (PartDescriptor part : written) {
      try {
        storage.delete(part.path());
      } catch (IOException left) {
        // No commit names it: the next epoch's retention removes it.
        continue;
      }
    }
  }
}
