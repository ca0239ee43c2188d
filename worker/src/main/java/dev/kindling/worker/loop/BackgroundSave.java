package dev.kindling.worker.loop;

import dev.kindling.kernels.backend.Communicator;
import dev.kindling.kernels.backend.Snapshot;
import dev.kindling.kernels.fault.Failpoint;
import dev.kindling.kernels.memory.Closing;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import org.jspecify.annotations.Nullable;

/**
 * Writes generations from a snapshot, in a thread of its own and over a communicator of its own,
 * one at a time. What is not written yet is never a second snapshot: memory stays bounded by the
 * state.
 */
final class BackgroundSave implements AutoCloseable {
  /** What a run that ends grants a save whose other ranks may be gone. */
  private static final Duration LAST_WAIT = Duration.ofSeconds(20);

  /** Hears how a save ended. */
  interface Ended {
    /**
     * @param stallMillis how long the steps stood still
     */
    void told(Verdict verdict, double stallMillis);
  }

  private final GenerationWriter writer;
  private final Communicator beside;
  private final Snapshot snapshot;
  private @Nullable Thread thread;
  private volatile CountDownLatch taken = new CountDownLatch(0);
  private volatile @Nullable Verdict verdict;
  private volatile @Nullable Throwable failure;

  /**
   * @param writer over {@code beside}
   * @param beside which nobody else uses; closed with this
   */
  BackgroundSave(GenerationWriter writer, Communicator beside, Snapshot snapshot) {
    this.writer = writer;
    this.beside = beside;
    this.snapshot = snapshot;
  }

  /** Whether a save is under way on this rank. */
  boolean isBusy() {
    Thread running = thread;
    return running != null && running.isAlive();
  }

  /** Why no save can be begun any more: the ranks lost each other. */
  @Nullable Throwable failure() {
    return failure;
  }

  /**
   * Takes the state and returns; steps may go on. All ranks together, none of them busy.
   *
   * @param start when the steps paused, on the clock of {@link System#nanoTime}
   * @param ended hears of the end before anybody can see that this is no longer busy
   */
  void begin(SavePoint point, long start, Ended ended) {
    Failpoint.SNAPSHOT_TAKE.before();
    snapshot.take();
    Failpoint.SNAPSHOT_TAKE.after();
    double stall = (System.nanoTime() - start) / 1e6;
    CountDownLatch copied = new CountDownLatch(1);
    taken = copied;
    Thread next =
        new Thread(
            () -> {
              try {
                awaitCopy(copied);
                Verdict found = writer.write(point, snapshot::fetch);
                verdict = found;
                ended.told(found, stall);
              } catch (RuntimeException | Error lost) {
                failure = lost;
              }
            },
            "save-rank-" + beside.rank());
    next.setDaemon(true);
    thread = next;
    next.start();
  }

  private void awaitCopy(CountDownLatch copied) {
    try {
      snapshot.await();
    } finally {
      copied.countDown();
    }
  }

  /** How the last save ended, null if there was none. */
  @Nullable Verdict verdict() {
    return verdict;
  }

  /** Waits until nothing is under way. */
  void settle() {
    Thread running = thread;
    if (running != null) {
      join(running, Duration.ZERO);
    }
  }

  /**
   * @param limit zero for ever
   */
  private static void join(Thread running, Duration limit) {
    try {
      running.join(limit.toMillis());
    } catch (InterruptedException stopped) {
      Thread.currentThread().interrupt();
    }
  }

  /**
   * Ends a save that is under way, whose other ranks may be gone. A snapshot that is still read is
   * left to the process: this is the end of a run that failed.
   */
  @Override
  public void close() {
    Thread running = thread;
    List<AutoCloseable> parts = List.of(taken::await, beside);
    if (running == null || !running.isAlive()) {
      parts = List.of(beside, snapshot);
    }
    try {
      Closing.all(parts);
    } finally {
      if (running != null && running.isAlive()) {
        running.interrupt();
        join(running, LAST_WAIT);
        if (!running.isAlive()) {
          snapshot.close();
        }
      }
    }
  }
}
