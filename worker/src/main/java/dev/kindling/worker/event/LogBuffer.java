package dev.kindling.worker.event;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Optional;

/**
 * Lines of one rank in one attempt on their way to the driver, bounded: a rank that logs faster
 * than they leave loses the oldest, which are counted. Thread-safe; {@link #put} never waits for
 * whoever takes them away.
 */
public final class LogBuffer {
  /** Characters that may wait. */
  static final int CAPACITY = 256 * 1024;

  /** A longer line is cut. */
  static final int LINE_CHARS = 4 * 1024;

  private final int rank;
  private final Deque<LoggedLines.Line> lines = new ArrayDeque<>();
  private int chars;

  /** Number of the oldest line that waits. */
  private long oldest;

  private boolean closed;

  public LogBuffer(int rank) {
    this.rank = rank;
  }

  /**
   * Adds what was logged, which may be several lines.
   *
   * @param unixMillis when
   */
  public synchronized void put(long unixMillis, String text) {
    text.lines().forEach(line -> add(new LoggedLines.Line(unixMillis, cut(line))));
  }

  private static String cut(String line) {
    return line.length() <= LINE_CHARS ? line : line.substring(0, LINE_CHARS) + " ...";
  }

  private void add(LoggedLines.Line line) {
    if (closed) {
      return;
    }
    lines.addLast(line);
    chars += line.text().length();
    while (chars > CAPACITY) {
      remove();
    }
  }

  private LoggedLines.Line remove() {
    LoggedLines.Line line = lines.removeFirst();
    chars -= line.text().length();
    oldest++;
    return line;
  }

  /**
   * The oldest lines that wait, which are gone from here then.
   *
   * @param maxChars after which no further line is taken
   */
  public synchronized Optional<LoggedLines> take(int maxChars) {
    if (lines.isEmpty()) {
      return Optional.empty();
    }
    long first = oldest;
    List<LoggedLines.Line> taken = new ArrayList<>();
    for (int sum = 0; !lines.isEmpty() && sum < maxChars; ) {
      LoggedLines.Line line = remove();
      sum += line.text().length() + 1;
      taken.add(line);
    }
    return Optional.of(LoggedLines.of(rank, first, taken));
  }

  /** The rank has ended: later lines are none of its own. */
  public synchronized void close() {
    closed = true;
  }

  synchronized boolean isClosed() {
    return closed;
  }
}
