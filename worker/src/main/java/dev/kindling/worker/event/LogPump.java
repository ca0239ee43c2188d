package dev.kindling.worker.event;

import java.util.List;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/**
 * Carries lines from buffers to a sink of the same process, so that whoever logs never waits for
 * the sink.
 */
public final class LogPump {
  private static final long PERIOD_MILLIS = 100;
  private static final int TAKEN_CHARS = LogBuffer.CAPACITY / 2;

  private final List<LogBuffer> buffers;
  private final EventSink events;
  private final CountDownLatch closing = new CountDownLatch(1);
  private final Thread thread;

  /** Starts at once. */
  public LogPump(List<LogBuffer> buffers, EventSink events) {
    this.buffers = List.copyOf(buffers);
    this.events = events;
    thread = new Thread(this::pump, "kindling-log-pump");
    thread.setDaemon(true);
    thread.start();
  }

  private void pump() {
    boolean last;
    do {
      last = waited();
      for (LogBuffer buffer : buffers) {
        var lines = buffer.take(TAKEN_CHARS);
        while (lines.isPresent()) {
          tell(lines.get());
          lines = last ? buffer.take(TAKEN_CHARS) : Optional.empty();
        }
      }
    } while (!last);
  }

  private boolean waited() {
    try {
      return closing.await(PERIOD_MILLIS, TimeUnit.MILLISECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return true;
    }
  }

  /** A sink that fails says so where it matters: with the events of the rank. */
  private void tell(LoggedLines lines) {
    try {
      events.emit(lines);
    } catch (RuntimeException unrecorded) {
      closing.countDown();
    }
  }

  /** What was logged before is told when this returns; later lines are nobody's. */
  public void finish() throws InterruptedException {
    // No flood holds up the end.
    buffers.forEach(LogBuffer::close);
    closing.countDown();
    thread.join();
  }
}
