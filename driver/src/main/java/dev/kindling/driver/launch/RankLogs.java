package dev.kindling.driver.launch;

import dev.kindling.worker.event.CheckpointSaved;
import dev.kindling.worker.event.LogLine;
import dev.kindling.worker.event.LoggedLines;
import dev.kindling.worker.event.PhaseEntered;
import dev.kindling.worker.event.WorkerEvent;
import dev.kindling.worker.launch.AttemptFailedException;
import java.time.Clock;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * {@code logs/rank-N.log}: what each rank logged, with phases and failures between, a line with
 * time and attempt each. Whoever tells never waits for the disk: a thread of its own writes, and
 * what it cannot write in time is dropped and counted. A failure to write costs the logs alone.
 */
final class RankLogs implements RunObserver, AutoCloseable {
  /** Characters that may wait for the disk. */
  private static final int QUEUE_CHARS = 4 * 1024 * 1024;

  /** How long an attempt's end, and the run's, wait for the disk. */
  private static final long PATIENCE_MILLIS = 2_000;

  private final RankLogFiles files;
  private final LogMask mask;
  private final Clock clock;
  private final Consumer<String> notices;
  private final Thread writer;

  /** What waits, oldest first, with what it lost. */
  private final Deque<Entry> queue = new ArrayDeque<>();

  private final Map<Integer, Long> next = new HashMap<>();
  private final Map<Integer, Long> lost = new HashMap<>();
  private int chars;
  private int attempt;
  private boolean busy;
  private boolean closed;

  /**
   * @param gap lines of the rank that were lost before they came here
   */
  private record Entry(int attempt, int rank, long gap, List<LoggedLines.Line> lines, int chars) {}

  /**
   * @param lost lines of the rank before it that are in no file
   */
  private record Taken(Entry entry, long lost) {}

  /**
   * @param mask takes secrets out
   * @param notices hears one-line messages for people
   */
  RankLogs(RankLogFiles files, LogMask mask, Clock clock, Consumer<String> notices) {
    this.files = files;
    this.mask = mask;
    this.clock = clock;
    this.notices = notices;
    writer = new Thread(this::write, "kindling-rank-logs");
    writer.setDaemon(true);
    writer.start();
  }

  @Override
  public synchronized void attemptStarts(int number) {
    attempt = number;
    next.clear();
  }

  @Override
  public void attemptFailed(int number, AttemptFailedException failure, boolean retried) {
    int rank = failure.rank();
    if (rank >= 0) {
      say(rank, "ERROR attempt " + number + " failed: " + failure.getMessage());
    }
    awaitWritten();
    notices.accept(rank < 0 ? "logs of the ranks: " + files : files.words(rank));
  }

  @Override
  public void emit(WorkerEvent event) {
    if (event instanceof LoggedLines logged) {
      logged(logged);
    } else if (event instanceof LogLine line) {
      say(line.rank(), line.level() + " " + line.text());
    } else if (event instanceof PhaseEntered entered) {
      String phase = entered.phase().name().toLowerCase(Locale.ROOT).replace('_', ' ');
      say(entered.rank(), "INFO phase " + phase + ", step " + entered.step());
    } else if (event instanceof CheckpointSaved saved && !saved.failure().isEmpty()) {
      say(saved.rank(), "WARN no checkpoint of step " + saved.step() + ": " + saved.failure());
    }
  }

  private synchronized void logged(LoggedLines logged) {
    List<LoggedLines.Line> lines = logged.lines();
    long gap = Math.max(0, logged.first() - next.getOrDefault(logged.rank(), 0L));
    next.put(logged.rank(), logged.first() + lines.size());
    add(logged.rank(), gap, lines);
  }

  private void say(int rank, String text) {
    long now = clock.millis();
    add(rank, 0, text.lines().map(line -> new LoggedLines.Line(now, line)).toList());
  }

  private synchronized void add(int rank, long gap, List<LoggedLines.Line> lines) {
    if (closed) {
      return;
    }
    int size = lines.stream().mapToInt(line -> line.text().length()).sum();
    queue.addLast(new Entry(attempt, rank, gap, lines, size));
    chars += size;
    while (chars > QUEUE_CHARS) {
      Entry oldest = queue.removeFirst();
      chars -= oldest.chars();
      lost.merge(oldest.rank(), oldest.gap() + oldest.lines().size(), Long::sum);
    }
    notifyAll();
  }

  private void write() {
    try {
      for (Taken taken = take(); taken != null; taken = take()) {
        files.append(taken.entry().rank(), text(taken)).ifPresent(notices);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private List<String> text(Taken taken) {
    List<LoggedLines.Line> lines = new ArrayList<>(taken.entry().lines());
    if (taken.lost() > 0) {
      String text =
          "WARN " + taken.lost() + " lines before this one were dropped: too many at once";
      lines.add(0, new LoggedLines.Line(clock.millis(), text));
    }
    return lines.stream()
        .map(line -> RankLogFiles.line(line, taken.entry().attempt(), mask))
        .toList();
  }

  /** The next entry; null at the end. */
  private synchronized @Nullable Taken take() throws InterruptedException {
    busy = false;
    notifyAll();
    while (queue.isEmpty()) {
      if (closed) {
        return null;
      }
      wait();
    }
    busy = true;
    Entry entry = queue.removeFirst();
    chars -= entry.chars();
    Long before = lost.remove(entry.rank());
    return new Taken(entry, entry.gap() + (before == null ? 0 : before));
  }

  private synchronized void awaitWritten() {
    long deadline = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(PATIENCE_MILLIS);
    try {
      for (long left = PATIENCE_MILLIS; left > 0 && (busy || !queue.isEmpty()); ) {
        wait(left);
        left = TimeUnit.NANOSECONDS.toMillis(deadline - System.nanoTime());
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  /** Everything told before is in the files, unless the disk hangs. */
  @Override
  public void close() {
    synchronized (this) {
      closed = true;
      notifyAll();
    }
    awaitWritten();
  }
}
