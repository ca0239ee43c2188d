package dev.kindling.worker.event;

import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * Which rank's log a thread writes to. A log framework asks here; it knows threads and no ranks.
 */
public final class LogScope {
  /** Threads that a rank's thread starts are the rank's too. */
  private static final InheritableThreadLocal<@Nullable LogBuffer> OF_THREAD =
      new InheritableThreadLocal<>();

  private static volatile @Nullable LogBuffer ofProcess;

  private LogScope() {}

  /** This thread and those that it starts from now on work for the rank. */
  public static void ofThread(LogBuffer buffer) {
    OF_THREAD.set(buffer);
  }

  /** The whole process works for the rank, which is the only one in it. */
  public static void ofProcess(LogBuffer buffer) {
    ofProcess = buffer;
  }

  /** Where lines of this thread go; empty if it works for no rank that is alive. */
  public static Optional<LogBuffer> current() {
    LogBuffer own = OF_THREAD.get();
    LogBuffer open = own == null || own.isClosed() ? ofProcess : own;
    return Optional.ofNullable(open).filter(buffer -> !buffer.isClosed());
  }
}
