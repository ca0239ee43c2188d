package dev.kindling.driver.launch;

import dev.kindling.worker.event.EventSink;
import dev.kindling.worker.event.Heartbeat;
import dev.kindling.worker.event.LogLine;
import dev.kindling.worker.event.LoggedLines;
import dev.kindling.worker.event.PhaseEntered;
import dev.kindling.worker.event.StepDone;
import dev.kindling.worker.event.WorkerEvent;
import dev.kindling.worker.launch.AttemptFailedException;
import dev.kindling.worker.launch.FailureKind;
import java.util.Arrays;
import java.util.Comparator;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * Stands between the ranks of one attempt and the observer of the run. A rank that makes no
 * progress is reported with the place of every rank; one that hangs ends the attempt by an
 * interrupt of its thread. What ranks say after the attempt is over reaches nobody.
 */
final class HangWatch implements EventSink, AutoCloseable {
  private static final long LOOK_MILLIS = 250;

  /**
   * A look that comes later than this found the driver itself stopped (a suspended laptop, a long
   * collection): the ranks' words of that time are still on their way, so it does not count.
   */
  private static final long LOOK_MILLIS_MAX = 1_000;

  private final HangLimits limits;
  private final EventSink observer;
  private final Thread attempt;
  private final CountDownLatch closing = new CountDownLatch(1);
  private final Object telling = new Object();
  private final StepTimes times = new StepTimes();
  private final RankPlace[] places;
  private long clock;
  private long stalledAt = -1;
  private boolean begun;
  private boolean closed;
  private @Nullable AttemptFailedException verdict;

  /**
   * @param attempt thread that is interrupted
   */
  HangWatch(HangLimits limits, int ranks, EventSink observer, Thread attempt) {
    this.limits = limits;
    this.observer = observer;
    this.attempt = attempt;
    places = new RankPlace[ranks];
    Arrays.setAll(places, rank -> RankPlace.unheard(rank, 0));
  }

  HangWatch start() {
    Thread thread = new Thread(this::watch, "kindling-hang-watch");
    thread.setDaemon(true);
    thread.start();
    return this;
  }

  private void watch() {
    try {
      long last = System.nanoTime();
      while (!closing.await(LOOK_MILLIS, TimeUnit.MILLISECONDS)) {
        long now = System.nanoTime();
        long passed = TimeUnit.NANOSECONDS.toMillis(now - last);
        last = now;
        LogLine line = look(Math.min(passed, LOOK_MILLIS_MAX));
        if (line != null) {
          emit(line);
        }
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  @Override
  public void emit(WorkerEvent event) {
    // One lock for the whole way: once closed, no event is halfway to the next attempt's file.
    synchronized (telling) {
      if (note(event) && !(event instanceof Heartbeat)) {
        observer.emit(event);
      }
    }
  }

  /** False if the attempt is over. */
  private synchronized boolean note(WorkerEvent event) {
    int rank = event.rank();
    boolean words = event instanceof LogLine || event instanceof LoggedLines;
    if (!closed && rank >= 0 && rank < places.length && !words) {
      begin();
      RankPlace place = places[rank];
      if (event instanceof PhaseEntered entered) {
        places[rank] = place.entered(entered.phase(), entered.step(), clock);
      } else if (event instanceof Heartbeat beat) {
        places[rank] = place.beat(beat.phase(), beat.step(), beat.moves(), clock);
      } else {
        places[rank] = place.heard(clock);
      }
      // A step that was held up says nothing about the pace.
      if (event instanceof StepDone done && stalledAt < 0) {
        times.add(done.stepMillis());
      }
    }
    return !closed;
  }

  /** Nobody is late before the first rank has spoken: slots are waited for until then. */
  private void begin() {
    if (!begun) {
      begun = true;
      Arrays.setAll(places, rank -> RankPlace.unheard(rank, clock));
    }
  }

  /**
   * Looks at the ranks.
   *
   * @param millis that passed since the last look
   * @return what people should hear, null if there is nothing to say
   */
  synchronized @Nullable LogLine look(long millis) {
    clock += millis;
    if (!begun || closed || verdict != null) {
      return null;
    }
    double p99 = times.p99();
    if (Arrays.stream(places).anyMatch(place -> place.hung(clock, limits, p99))) {
      verdict = failure();
      attempt.interrupt();
      return null;
    }
    boolean stalled = Arrays.stream(places).anyMatch(place -> place.stalled(clock, limits, p99));
    if (stalled && stalledAt < 0) {
      stalledAt = clock;
      String text = "no progress (replaced after %s, recovery.hang_timeout): %s";
      String patience = RankPlace.seconds(limits.hangMillis(p99));
      return new LogLine(culprit().rank(), LogLine.Level.WARN, text.formatted(patience, story()));
    }
    if (!stalled && stalledAt >= 0) {
      String text = "all ranks make progress again, " + RankPlace.seconds(clock - stalledAt);
      stalledAt = -1;
      return new LogLine(0, LogLine.Level.WARN, text + " after the stall was reported");
    }
    return null;
  }

  /** The rank that is to blame: a silent one, else the one that is behind. */
  private RankPlace culprit() {
    return Arrays.stream(places)
        .filter(place -> !place.over())
        .min(
            Comparator.comparing((RankPlace place) -> !place.silent(clock))
                .thenComparingLong(RankPlace::step)
                .thenComparingLong(RankPlace::movedAt))
        .orElseThrow();
  }

  private String story() {
    return Arrays.stream(places)
        .map(place -> place.describe(clock))
        .collect(Collectors.joining("; "));
  }

  private AttemptFailedException failure() {
    RankPlace culprit = culprit();
    boolean silent = culprit.silent(clock);
    FailureKind kind = silent ? FailureKind.LOST_WORKER : FailureKind.COMMUNICATION;
    String text =
        "rank %d %s (recovery.hang_timeout %s): %s"
            .formatted(
                culprit.rank(),
                silent ? "hangs or its host is gone" : "makes no progress",
                RankPlace.seconds(limits.hang().toMillis()),
                story());
    return new AttemptFailedException(kind, culprit.rank(), text, null);
  }

  /**
   * @throws AttemptFailedException if this watch ended the attempt
   */
  synchronized void check() {
    if (verdict != null) {
      throw verdict;
    }
  }

  /** No interruption by this watch arrives later, nor stays behind; no event passes any more. */
  @Override
  public void close() {
    synchronized (telling) {
      synchronized (this) {
        closed = true;
        closing.countDown();
        if (verdict != null) {
          Thread.interrupted();
        }
      }
    }
  }
}
