package dev.kindling.driver.launch;

import dev.kindling.driver.plugin.ControlPoint;
import dev.kindling.driver.plugin.RankEnded;
import dev.kindling.driver.plugin.RankStarted;
import dev.kindling.worker.event.EventSink;
import dev.kindling.worker.event.LogLine;
import dev.kindling.worker.event.LoggedLines;
import dev.kindling.worker.event.WorkerEvent;
import dev.kindling.worker.launch.AttemptFailedException;
import dev.kindling.worker.launch.FailureKind;
import dev.kindling.worker.loop.StopRequest;
import dev.kindling.worker.loop.StopSignal;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/** What the driver knows of the ranks of one launch, and the story it tells when they fail. */
final class RankLedger implements ControlPoint.Run {
  private static final int TAIL_LINES = 20;
  private static final int TAIL_BYTES = 16 * 1024;

  private final EventSink events;
  private final StopSignal stop;
  private final Runnable cancel;

  /** Number of the next new event of each rank; messages come one at a time. */
  private final Map<Integer, Long> heard = new HashMap<>();

  /** When a rank last sent anything; links report five times a second, also nothing. */
  private final Map<Integer, Long> heardNanos = new HashMap<>();

  private final Map<Integer, RankStarted> started = new TreeMap<>();
  private final Map<Integer, RankEnded> ended = new TreeMap<>();
  private final List<RankEnded> failures = new ArrayList<>();
  private final Map<Integer, Deque<String>> lines = new HashMap<>();
  private final Set<String> lostExecutors = new HashSet<>();

  private @Nullable AttemptFailedException unrecorded;

  /**
   * @param cancel ends the launch early, when its events can no longer be recorded
   */
  RankLedger(EventSink events, StopSignal stop, Runnable cancel) {
    this.events = events;
    this.stop = stop;
    this.cancel = cancel;
  }

  @Override
  public synchronized void started(RankStarted message) {
    started.put(message.rank(), message);
    heardNanos.put(message.rank(), System.nanoTime());
  }

  @Override
  public void events(int rank, long first, List<WorkerEvent> told) {
    synchronized (this) {
      heardNanos.put(rank, System.nanoTime());
    }
    long next = heard.getOrDefault(rank, 0L);
    if (first > next) {
      String text = (first - next) + " events were dropped, the driver was too slow";
      event(new LogLine(rank, LogLine.Level.WARN, text));
    }
    // What was told before is told again when its answer was lost.
    int known = (int) Math.min(Math.max(0, next - first), told.size());
    told.subList(known, told.size()).forEach(this::event);
    heard.put(rank, Math.max(next, first + told.size()));
  }

  private void event(WorkerEvent event) {
    if (event instanceof LogLine line) {
      remember(line.rank(), line.text());
    } else if (event instanceof LoggedLines logged) {
      logged.lines().forEach(line -> remember(logged.rank(), line.text()));
    }
    try {
      events.emit(event);
    } catch (RuntimeException e) {
      unrecorded(event, e);
    }
  }

  /** Thrown to the rank it would only be sent again; a run nobody can record must end. */
  private void unrecorded(WorkerEvent event, RuntimeException cause) {
    synchronized (this) {
      if (unrecorded != null) {
        return;
      }
      unrecorded =
          new AttemptFailedException(
              FailureKind.UNEXPECTED,
              event.rank(),
              "events of the ranks cannot be recorded: " + cause,
              cause);
    }
    cancel.run();
  }

  /**
   * @throws AttemptFailedException if an event of this launch could not be recorded
   */
  synchronized void requireRecorded() {
    if (unrecorded != null) {
      throw unrecorded;
    }
  }

  private synchronized void remember(int rank, String line) {
    Deque<String> last = lines.computeIfAbsent(rank, r -> new ArrayDeque<>());
    last.addLast(line);
    if (last.size() > TAIL_LINES) {
      last.removeFirst();
    }
  }

  @Override
  public synchronized void ended(RankEnded message) {
    boolean again = ended.put(message.rank(), message) != null;
    if (!message.failure().isEmpty() && !again) {
      failures.add(message);
    }
    notifyAll();
  }

  synchronized void lostExecutor(String executor) {
    lostExecutors.add(executor);
    notifyAll();
  }

  @Override
  public StopRequest wish() {
    return stop.poll();
  }

  /**
   * Waits until every rank that started has ended or lost its executor.
   *
   * @return false if some rank still runs after the time-out
   */
  synchronized boolean awaitEnd(long timeoutMillis) throws InterruptedException {
    long deadline = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(timeoutMillis);
    while (!living().isEmpty()) {
      long left = TimeUnit.NANOSECONDS.toMillis(deadline - System.nanoTime());
      if (left <= 0) {
        return false;
      }
      wait(left);
    }
    return true;
  }

  private List<RankStarted> living() {
    return started.values().stream()
        .filter(r -> !ended.containsKey(r.rank()) && !lostExecutors.contains(r.executor()))
        .toList();
  }

  /**
   * Ranks that have not ended and said nothing for a while.
   *
   * @param millis of silence; 0 = all that have not ended
   */
  synchronized List<RankStarted> silent(long millis) {
    long before = System.nanoTime() - TimeUnit.MILLISECONDS.toNanos(millis);
    return living().stream()
        .filter(rank -> heardNanos.getOrDefault(rank.rank(), before) - before <= 0)
        .toList();
  }

  /** The host that a failure speaks against: of a broken device or a worker that died. */
  synchronized Optional<String> blamedHost(AttemptFailedException failure) {
    return Optional.ofNullable(started.get(failure.rank()))
        .filter(
            rank -> failure.kind() == FailureKind.DEVICE || lostExecutors.contains(rank.executor()))
        .map(RankStarted::host);
  }

  /**
   * The failure of the attempt. A rank's own mistake outranks a lost worker, which outranks the
   * communication errors that its peers report because of it.
   */
  synchronized AttemptFailedException failure(Throwable spark) {
    if (unrecorded != null) {
      return unrecorded;
    }
    RankEnded told = mostTelling();
    List<RankStarted> silent =
        started.values().stream()
            .filter(r -> lostExecutors.contains(r.executor()) && !ended.containsKey(r.rank()))
            .toList();
    boolean consequence =
        told == null
            || told.failure().equals(FailureKind.COMMUNICATION.name())
            || told.message().contains("InterruptedException");
    if (!silent.isEmpty() && consequence) {
      StringBuilder text = new StringBuilder();
      for (RankStarted rank : silent) {
        text.append(text.isEmpty() ? "" : "\n").append(lastWords(rank));
      }
      return new AttemptFailedException(
          FailureKind.COMMUNICATION, silent.get(0).rank(), text.toString(), spark);
    }
    if (told != null) {
      String text = "rank " + told.rank() + ": " + told.message();
      FailureKind kind = FailureKind.valueOf(told.failure());
      String full = kind == FailureKind.UNEXPECTED ? text + "\n" + told.trace() : text;
      return new AttemptFailedException(kind, told.rank(), full, spark);
    }
    return new AttemptFailedException(
        FailureKind.UNEXPECTED, -1, "Spark ended the job: " + spark.getMessage(), spark);
  }

  private @Nullable RankEnded mostTelling() {
    RankEnded best = null;
    for (RankEnded failure : failures) {
      if (best == null || weight(failure) > weight(best)) {
        best = failure;
      }
    }
    return best;
  }

  private static int weight(RankEnded failure) {
    return switch (FailureKind.valueOf(failure.failure())) {
      case CONFIGURATION, DATA, CHECKPOINT -> 3;
      case DEVICE, LOST_WORKER, LOST_SLOTS -> 2;
      case UNEXPECTED -> failure.message().contains("InterruptedException") ? 0 : 2;
      case COMMUNICATION -> 1;
    };
  }

  private String lastWords(RankStarted rank) {
    StringBuilder text =
        new StringBuilder(
            "rank %d: its worker died (executor %s, pid %d on %s)"
                .formatted(rank.rank(), rank.executor(), rank.pid(), rank.host()));
    List<String> tail = new ArrayList<>(stderrTail(rank));
    if (tail.isEmpty()) {
      tail.addAll(lines.getOrDefault(rank.rank(), new ArrayDeque<>()));
    }
    if (!tail.isEmpty()) {
      text.append("; its last lines:");
      tail.forEach(line -> text.append("\n  | ").append(line));
    }
    return text.toString();
  }

  /**
   * The end of the executor's stderr where it lies on a disk that the driver sees, else nothing.
   */
  private static List<String> stderrTail(RankStarted rank) {
    Path file = Path.of(rank.workDir(), "stderr");
    if (rank.workDir().isEmpty() || !Files.isReadable(file)) {
      return List.of();
    }
    try (var channel = Files.newByteChannel(file)) {
      channel.position(Math.max(0, channel.size() - TAIL_BYTES));
      var buffer = java.nio.ByteBuffer.allocate(TAIL_BYTES);
      while (buffer.hasRemaining() && channel.read(buffer) >= 0) {
        continue;
      }
      String text = new String(buffer.array(), 0, buffer.position(), StandardCharsets.UTF_8);
      // Above the line of equal signs stands the executor's command line.
      String own = text.replaceFirst("(?s)^Spark Executor Command:.*?\\R=+\\R", "");
      List<String> all =
          own.lines()
              .filter(l -> !l.isBlank() && !l.startsWith("WARNING: Using incubator modules"))
              .toList();
      return all.subList(Math.max(0, all.size() - TAIL_LINES), all.size());
    } catch (IOException e) {
      return List.of("(stderr is unreadable: " + e.getMessage() + ")");
    }
  }
}
