package dev.kindling.comm.nccl;

import dev.kindling.kernels.backend.CollectiveException;
import dev.kindling.kernels.backend.Communicator;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.IntSupplier;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Keeps one communicator from waiting for ever. Its thread aborts when the library reports a
 * failure, when a peer is lost while work is under way, or when work takes too long. The abort
 * makes the kernels end, so whoever waits for the device comes back and finds out here why.
 *
 * <p>Native calls take turns under a lock: asking for the state also finishes what the library
 * began, and two threads must not finish it at once. The abort itself takes no lock, and runs in a
 * thread of its own: it returns only when the captured graphs are gone, and it is the waiting
 * thread that closes those.
 */
final class Watchdog implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(Watchdog.class);
  private static final long TICK_NANOS = 50_000_000L;
  private static final long POLL_NANOS = 20_000;

  /** A peer that ended well may be gone while our last kernel still runs. */
  private static final long GRACE_NANOS = 500_000_000L;

  /** How long a native call of ours may keep the abort waiting. */
  private static final long TURN_SECONDS = 2;

  private final String who;
  private final Nccl nccl;
  private final NcclHandle handle;
  private final Supplier<Optional<String>> lost;
  private final long runNanos;
  private final long closeNanos;
  private final ReentrantLock turn = new ReentrantLock();
  private final Thread thread;
  private volatile @Nullable String failure;
  private volatile boolean closed;

  /** The communicator goes, whether or not it had its turn. */
  private volatile boolean aborting;

  private @Nullable CountDownLatch aborted;
  private long calls;
  private long submitted;
  private long completed;
  private long since;
  private String work = "nothing";

  /**
   * @param lost names peers whose process is gone
   */
  Watchdog(
      String who,
      Nccl nccl,
      NcclHandle handle,
      Supplier<Optional<String>> lost,
      NcclOptions options) {
    this.who = who;
    this.nccl = nccl;
    this.handle = handle;
    this.lost = lost;
    runNanos = options.runTimeout().toNanos();
    closeNanos = options.closeTimeout().toNanos();
    thread = new Thread(this::watch, "nccl-watchdog " + who);
    thread.setDaemon(true);
    thread.start();
  }

  static String who(NcclOptions options, Communicator host) {
    return "nccl " + options.axis() + ", rank " + host.rank() + " of " + host.worldSize();
  }

  /**
   * Makes a native call and returns when the library has taken it in.
   *
   * @param settle whether to wait for that; calls inside a group do not
   */
  void call(String what, boolean settle, IntSupplier body) {
    turn.lock();
    int code;
    try {
      check();
      calls++;
      code = body.getAsInt();
    } finally {
      turn.unlock();
    }
    if (failed(code)) {
      fail(what + ", call " + calls + ": " + text(code));
      check();
    }
    if (settle) {
      settle(what);
    }
  }

  /**
   * Opens a group and keeps the turn until its end: an abort would free the communicator whose
   * calls the library still holds back.
   */
  void groupBegin(IntSupplier body) {
    turn.lock();
    try {
      call("group", false, body);
    } catch (RuntimeException | Error failure) {
      turn.unlock();
      throw failure;
    }
  }

  /**
   * Closes a group, after a failure too: the library counts groups by thread, and a call behind one
   * that stayed open would never begin.
   */
  void groupEnd(boolean settle, IntSupplier body) {
    int code = Nccl.SUCCESS;
    try {
      calls++;
      if (!aborting) {
        code = body.getAsInt();
      }
    } finally {
      turn.unlock();
    }
    if (failed(code)) {
      fail("group, call " + calls + ": " + text(code));
    }
    check();
    if (settle) {
      settle("group");
    }
  }

  private void settle(String what) {
    long start = System.nanoTime();
    int code = state();
    while (code == Nccl.IN_PROGRESS) {
      check();
      if (System.nanoTime() - start > runNanos) {
        fail(what + ", call " + calls + ": not begun after " + millis(runNanos) + " ms");
      }
      LockSupport.parkNanos(POLL_NANOS);
      code = state();
    }
    if (failed(code)) {
      fail(what + ", call " + calls + ": " + text(code));
    }
    check();
  }

  private static boolean failed(int code) {
    return code != Nccl.SUCCESS && code != Nccl.IN_PROGRESS;
  }

  private String text(int code) {
    return (nccl.text(code) + " " + handle.lastError()).strip();
  }

  /** Of the communicator; SUCCESS when it is gone: {@link #check} tells a failure. */
  private int state() {
    turn.lock();
    try {
      if (failure != null || closed) {
        return Nccl.SUCCESS;
      }
      int[] state = new int[1];
      int code = handle.asyncError(state);
      return code == Nccl.SUCCESS ? state[0] : code;
    } finally {
      turn.unlock();
    }
  }

  /** As {@link #state}, IN_PROGRESS during a call. */
  private int glance() {
    if (!turn.tryLock()) {
      return Nccl.IN_PROGRESS;
    }
    try {
      return state();
    } finally {
      turn.unlock();
    }
  }

  /** Work that needs the peers begins. */
  synchronized void submitted(String name) {
    check();
    Optional<String> gone = lost.get();
    if (gone.isPresent()) {
      fail(gone.get() + "; cannot begin " + name);
      check();
    }
    if (submitted == completed) {
      since = System.nanoTime();
    }
    submitted++;
    work = name;
  }

  /** The oldest work under way has ended. */
  synchronized void completed() {
    completed++;
    since = System.nanoTime();
    check();
  }

  private synchronized @Nullable String waiting() {
    return submitted == completed
        ? null
        : work + " (run " + submitted + ", " + millis(System.nanoTime() - since) + " ms)";
  }

  private synchronized boolean late() {
    return submitted > completed && System.nanoTime() - since > runNanos;
  }

  private static long millis(long nanos) {
    return nanos / 1_000_000;
  }

  private void watch() {
    long lostAt = 0;
    while (!closed && failure == null) {
      LockSupport.parkNanos(TICK_NANOS);
      int code = glance();
      String waiting = waiting();
      if (failed(code)) {
        fail(text(code) + "; while in " + (waiting == null ? "nothing" : waiting));
      }
      Optional<String> gone = lost.get();
      if (gone.isPresent()) {
        lostAt = lostAt == 0 ? System.nanoTime() | 1 : lostAt;
        boolean busy = waiting != null || code == Nccl.IN_PROGRESS;
        if (busy && System.nanoTime() - lostAt > GRACE_NANOS) {
          fail(gone.get() + " while in " + (waiting == null ? "a call" : waiting));
        }
      }
      if (late()) {
        fail("not done: " + waiting + "; a peer does not take part, or waits for another call");
      }
    }
  }

  /** Ends the communicator; the first reason stays, and one that comes after closing is nothing. */
  void fail(String reason) {
    CountDownLatch done;
    synchronized (this) {
      if (failure != null || closed) {
        return;
      }
      done = new CountDownLatch(1);
      aborted = done;
      failure = reason;
    }
    LOG.error("{}: aborting: {}", who, reason);
    aside(
        "nccl-abort " + who,
        () -> {
          abort();
          done.countDown();
        });
  }

  private void abort() {
    try {
      // After a failure nobody begins a call; the one that runs gets a little time to return.
      if (turn.tryLock(TURN_SECONDS, TimeUnit.SECONDS)) {
        turn.unlock();
      }
    } catch (InterruptedException stopped) {
      Thread.currentThread().interrupt();
    }
    aborting = true;
    int code = handle.abort();
    if (failed(code)) {
      LOG.warn("{}: ncclCommAbort: {}", who, nccl.text(code));
    }
  }

  boolean failed() {
    return failure != null;
  }

  void check() {
    String reason = failure;
    if (reason != null) {
      throw new CollectiveException(who + ": " + reason);
    }
  }

  /** Runs something that may never return. */
  static Thread aside(String name, Runnable body) {
    Thread thread = new Thread(body, name);
    thread.setDaemon(true);
    thread.start();
    return thread;
  }

  /**
   * Frees the communicator; every program that was captured with it must be closed. Freeing it
   * properly needs the peers: one that closes after them lets go alone, which is no failure unless
   * work was under way.
   *
   * @throws CollectiveException if the library does not let go of a sound communicator
   */
  @Override
  public void close() {
    boolean alone = failure == null && lost.get().isPresent();
    String waiting = waiting();
    if (alone && waiting != null) {
      fail("closed after its peers while in " + waiting);
    }
    CountDownLatch gone;
    synchronized (this) {
      closed = true;
      gone = aborted;
    }
    boolean sound = gone == null && !alone;
    if (gone == null) {
      LOG.debug("{}: closing{}", who, alone ? " after its peers" : "");
      CountDownLatch done = new CountDownLatch(1);
      aside(
          (alone ? "nccl-abort " : "nccl-destroy ") + who,
          () -> {
            if (alone) {
              abort();
            } else {
              destroy();
            }
            done.countDown();
          });
      gone = done;
    }
    boolean freed = await(gone);
    if (!freed && sound) {
      throw new CollectiveException(
          who
              + ": not destroyed after "
              + millis(closeNanos)
              + " ms; is a program that was captured with it still open?");
    } else if (!freed) {
      LOG.warn("{}: the abort did not end; its memory goes with the process", who);
    }
  }

  private void destroy() {
    turn.lock();
    try {
      handle.destroy();
    } finally {
      turn.unlock();
    }
  }

  private boolean await(CountDownLatch done) {
    try {
      return done.await(closeNanos, TimeUnit.NANOSECONDS);
    } catch (InterruptedException stopped) {
      Thread.currentThread().interrupt();
      return false;
    }
  }
}
