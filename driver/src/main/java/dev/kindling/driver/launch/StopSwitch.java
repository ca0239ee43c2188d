package dev.kindling.driver.launch;

import dev.kindling.worker.launch.AttemptFailedException;
import dev.kindling.worker.launch.SystemSignals;
import dev.kindling.worker.loop.StopRequest;
import dev.kindling.worker.loop.StopSignal;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;

/**
 * Ctrl-C and SIGTERM, and {@link #trip} for programs: the first asks the ranks to finish their
 * step, save and stop; the second ends the JVM at once. A handler and not a shutdown hook, because
 * Spark's own hook would stop the executors before they could save.
 */
public final class StopSwitch implements StopSignal {
  /** A run must be gone 30 s after the signal. */
  private static final long LIMIT_MILLIS = 28_000;

  private static final int EXIT_SIGNAL = 128;
  static final int INT = 2;
  static final int TERM = 15;

  private final AtomicInteger signal = new AtomicInteger();
  private final Consumer<String> notices;
  private volatile boolean armed;

  public StopSwitch(Consumer<String> notices) {
    this.notices = notices;
  }

  /** Takes over both signals for the rest of this JVM's life. */
  public void install() {
    SystemSignals.on("INT", () -> receive(INT));
    SystemSignals.on("TERM", () -> receive(TERM));
  }

  /** From now on ranks may be at work, and a signal has to wait for them. */
  public void arm() {
    armed = true;
  }

  private void receive(int number) {
    if (!take(number)) {
      Runtime.getRuntime().halt(EXIT_SIGNAL + number);
    }
    Thread limit = new Thread(() -> haltAfterLimit(number), "kindling-stop-limit");
    limit.setDaemon(true);
    limit.start();
    if (armed) {
      notices.accept("stopping after this step; the last checkpoint is being written");
    } else {
      Runtime.getRuntime().exit(EXIT_SIGNAL + number);
    }
  }

  /** Asks the ranks to stop; false if they were asked before. */
  boolean take(int number) {
    return signal.compareAndSet(0, number);
  }

  private static void haltAfterLimit(int number) {
    try {
      TimeUnit.MILLISECONDS.sleep(LIMIT_MILLIS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    Runtime.getRuntime().halt(EXIT_SIGNAL + number);
  }

  /** Asks the ranks to stop, without a signal and without a limit. */
  public void trip() {
    take(INT);
  }

  @Override
  public StopRequest poll() {
    return signal.get() == 0 ? StopRequest.NONE : StopRequest.CHECKPOINT_AND_STOP;
  }

  /** 130 or 143 after a signal, else 0. */
  public int exitCode() {
    return signal.get() == 0 ? 0 : EXIT_SIGNAL + signal.get();
  }

  /**
   * Exit code of a run that ended with this failure. After a signal, one that would have been tried
   * again is the interruption itself: ranks that are being ended fail in many ways. What no retry
   * can mend keeps its own code, above all a last checkpoint that could not be written.
   */
  public int exitCodeAfter(AttemptFailedException failure) {
    return exitCode() != 0 && failure.kind().retryable() ? exitCode() : failure.kind().exitCode();
  }
}
