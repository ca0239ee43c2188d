package dev.kindling.kernels.backend.cpu;

import dev.kindling.kernels.backend.DeviceException;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/**
 * The threads of one rank. {@link #run} cuts a range into one piece per thread, the caller doing
 * the first, and returns when all are done. Results must not depend on the cut. Allocates nothing
 * per call. One caller at a time.
 */
final class Workers implements AutoCloseable {
  /** Spinning this often bridges the gap between two nodes; after it a thread sleeps. */
  private static final int SPINS = 20_000;

  /** Work on the range [from, to) of its units. {@code worker} is below {@link #count}. */
  interface Task {
    void run(int from, int to, int worker);
  }

  private final Thread[] threads;
  private final AtomicInteger epoch = new AtomicInteger();
  private final AtomicInteger unfinished = new AtomicInteger();
  private volatile @Nullable Task task;
  private volatile int units;
  private volatile @Nullable Thread caller;
  private volatile @Nullable Throwable failure;
  private volatile boolean closed;

  Workers(int count, String name) {
    threads = new Thread[count - 1];
    for (int i = 0; i < threads.length; i++) {
      int worker = i + 1;
      threads[i] = new Thread(() -> loop(worker), name + "-worker-" + worker);
      threads[i].setDaemon(true);
      threads[i].start();
    }
  }

  /** Threads including the caller. */
  int count() {
    return threads.length + 1;
  }

  /** Closed threads would never finish their piece. */
  void checkOpen() {
    if (closed) {
      throw new IllegalStateException("this backend is closed");
    }
  }

  /** Runs the task over [0, units); inline when a piece would be smaller than {@code unitsMin}. */
  void run(Task work, int total, int unitsMin) {
    if (threads.length == 0 || total < 2L * unitsMin) {
      work.run(0, total, 0);
      return;
    }
    task = work;
    units = total;
    caller = Thread.currentThread();
    // One of an earlier run is still here if the caller's own piece failed as well.
    failure = null;
    unfinished.set(threads.length);
    epoch.incrementAndGet();
    for (Thread thread : threads) {
      LockSupport.unpark(thread);
    }
    try {
      piece(work, total, 0);
    } finally {
      awaitOthers();
    }
    Throwable thrown = failure;
    if (thrown != null) {
      failure = null;
      throw thrown instanceof RuntimeException runtime
          ? runtime
          : new DeviceException("worker thread failed", thrown);
    }
  }

  private void awaitOthers() {
    int spins = 0;
    while (unfinished.get() > 0) {
      if (spins++ < SPINS) {
        Thread.onSpinWait();
      } else {
        LockSupport.park(this);
      }
    }
  }

  private void piece(Task work, int total, int worker) {
    int from = (int) ((long) total * worker / count());
    int to = (int) ((long) total * (worker + 1) / count());
    if (from < to) {
      work.run(from, to, worker);
    }
  }

  private void loop(int worker) {
    int seen = 0;
    while (true) {
      int spins = 0;
      while (epoch.get() == seen) {
        if (closed) {
          return;
        }
        if (spins++ < SPINS) {
          Thread.onSpinWait();
        } else {
          LockSupport.park(this);
        }
      }
      seen++;
      work(worker);
    }
  }

  private void work(int worker) {
    Task work = task;
    try {
      if (work != null) {
        piece(work, units, worker);
      }
    } catch (Throwable thrown) {
      failure = thrown;
    }
    if (unfinished.decrementAndGet() == 0) {
      LockSupport.unpark(caller);
    }
  }

  @Override
  public void close() {
    closed = true;
    for (Thread thread : threads) {
      LockSupport.unpark(thread);
    }
  }
}
