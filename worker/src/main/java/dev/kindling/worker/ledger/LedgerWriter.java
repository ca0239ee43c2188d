package dev.kindling.worker.ledger;

import dev.kindling.kernels.fault.Failpoint;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * The file of one rank. The step only formats a line into memory; a thread of its own writes, so
 * that a slow or hanging storage costs the step nothing. Lines that storage cannot take for so long
 * that the buffer is full are lost, and with them the rest of the file: the ledger is evidence, no
 * run ends for want of it.
 */
public final class LedgerWriter implements AutoCloseable {
  /** About a thousand steps wait while storage hangs. */
  private static final int BUFFER_BYTES = 64 * 1024;

  private static final long CLOSE_MILLIS = 5_000;

  private final @Nullable Path file;
  private final ByteBuffer[] buffers = {
    ByteBuffer.allocate(BUFFER_BYTES), ByteBuffer.allocate(BUFFER_BYTES)
  };
  private final Object lock = new Object();
  private final @Nullable Thread thread;

  /** The buffer that takes lines; the other one is being written. Guarded by {@code lock}. */
  private int front;

  private boolean writing;
  private boolean closed;
  private String failure = "";
  private long check;

  private LedgerWriter(Path file, LedgerHeader header) {
    this.file = file;
    this.check = header.check();
    buffers[0].put(header.text().getBytes(StandardCharsets.US_ASCII));
    thread = new Thread(this::write, "ledger-rank-" + header.rank());
    thread.setDaemon(true);
    thread.start();
  }

  private LedgerWriter() {
    file = null;
    thread = null;
  }

  /** One that keeps nothing. */
  public static LedgerWriter none() {
    return new LedgerWriter();
  }

  /** Begins the header's file in the ledger of a run; nothing here throws for storage's sake. */
  public static LedgerWriter open(Path runDir, LedgerHeader header) {
    return new LedgerWriter(
        runDir.resolve(LedgerHistory.FOLDER).resolve(header.fileName()), header);
  }

  /** Allocates nothing and waits for nobody. */
  public void append(long step, int lossBits, int gradNormBits, long samples) {
    if (thread == null) {
      return;
    }
    synchronized (lock) {
      ByteBuffer buffer = buffers[front];
      if (!failure.isEmpty()) {
        return;
      }
      if (buffer.remaining() < LedgerLine.BYTES) {
        failure = "storage did not take the lines before step " + step;
        return;
      }
      check = LedgerLine.check(check, step, lossBits, gradNormBits, samples);
      LedgerLine.put(buffer, step, lossBits, gradNormBits, samples, check);
      lock.notifyAll();
    }
  }

  /**
   * Waits until all lines are handed to storage, or the time is over.
   *
   * @return why lines are missing in the file for good, or nothing
   */
  public String flush(long millis) {
    synchronized (lock) {
      long deadline = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(millis);
      while (failure.isEmpty() && (writing || buffers[front].position() > 0)) {
        long left = TimeUnit.NANOSECONDS.toMillis(deadline - System.nanoTime());
        if (left <= 0) {
          break;
        }
        try {
          lock.wait(left);
        } catch (InterruptedException stopped) {
          Thread.currentThread().interrupt();
          break;
        }
      }
      return failure.isEmpty() ? "" : file + ": " + failure;
    }
  }

  private void write() {
    try (FileChannel channel = create()) {
      Failpoint.LEDGER_CREATE.after();
      ByteBuffer full = await();
      while (full.hasRemaining()) {
        Failpoint.LEDGER_WRITE.before();
        while (full.hasRemaining()) {
          channel.write(full);
        }
        Failpoint.LEDGER_WRITE.after();
        full = await();
      }
    } catch (IOException | RuntimeException failed) {
      synchronized (lock) {
        failure = failed.toString();
        lock.notifyAll();
      }
    }
  }

  private FileChannel create() throws IOException {
    Failpoint.LEDGER_CREATE.before();
    Path file = Objects.requireNonNull(this.file);
    Path folder = Objects.requireNonNull(file.getParent());
    Files.createDirectories(
        folder, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
    return FileChannel.open(
        file,
        Set.of(StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE),
        PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")));
  }

  /** The next lines to write; none only when the ledger is closed. */
  private ByteBuffer await() {
    synchronized (lock) {
      buffers[1 - front].clear();
      writing = false;
      lock.notifyAll();
      while (buffers[front].position() == 0 && !closed) {
        try {
          lock.wait();
        } catch (InterruptedException stopped) {
          closed = true;
        }
      }
      ByteBuffer full = buffers[front];
      front = 1 - front;
      writing = true;
      return full.flip();
    }
  }

  /** Ends the file; what hanging storage does not take within seconds is lost. */
  @Override
  public void close() {
    synchronized (lock) {
      closed = true;
      lock.notifyAll();
    }
    if (thread == null) {
      return;
    }
    try {
      thread.join(CLOSE_MILLIS);
    } catch (InterruptedException stopped) {
      Thread.currentThread().interrupt();
    }
  }
}
