package dev.kindling.driver.launch;

import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HashMap;
import java.util.Map;

/**
 * Counts the failures of hosts over a sliding window. Spark's own {@code excludeOnFailure} does not
 * help: it learns from stages that end well, and a failed attempt is a stage that does not. Not
 * thread-safe.
 */
final class HostBlame {
  private final int limit;
  private final Duration window;
  private final Map<String, Deque<Long>> failures = new HashMap<>();

  /**
   * @param limit failures within the window that are too many, 0 = no number is
   */
  HostBlame(int limit, Duration window) {
    this.limit = limit;
    this.window = window;
  }

  /**
   * Notes a failure.
   *
   * @param nanos now, on the clock of {@link System#nanoTime}
   * @return whether the host has failed too often
   */
  boolean failed(String host, long nanos) {
    Deque<Long> times = failures.computeIfAbsent(host, h -> new ArrayDeque<>());
    while (!times.isEmpty() && nanos - times.getFirst() >= window.toNanos()) {
      times.removeFirst();
    }
    times.addLast(nanos);
    return limit > 0 && times.size() >= limit;
  }
}
