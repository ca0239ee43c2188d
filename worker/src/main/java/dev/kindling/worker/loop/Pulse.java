package dev.kindling.worker.loop;

import dev.kindling.worker.event.EventSink;
import dev.kindling.worker.event.Heartbeat;
import dev.kindling.worker.event.Phase;
import dev.kindling.worker.event.PhaseEntered;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/**
 * Says twice a second how far a rank is, from a thread of its own: the step only counts. Costs one
 * small message per beat; a rank that is stopped, or whose host is, is the one that stays silent.
 */
public final class Pulse implements AutoCloseable {
  /** How late the driver hears of a move at most, beside the time of its way. */
  static final long BEAT_MILLIS = 500;

  private final int rank;
  private final EventSink events;
  private final CountDownLatch closing = new CountDownLatch(1);
  private volatile Phase phase = Phase.RENDEZVOUS;
  private volatile long step;
  private volatile long moves;

  /** A pulse at rest, until {@link #start}. */
  Pulse(int rank, EventSink events) {
    this.rank = rank;
    this.events = events;
  }

  Pulse start() {
    Thread thread = new Thread(this::beat, "kindling-pulse-" + rank);
    thread.setDaemon(true);
    thread.start();
    return this;
  }

  /** Enters a phase and tells it at once. Called, as all that moves, by the rank's own thread. */
  void enter(Phase entered, long atStep) {
    phase = entered;
    step = atStep;
    moved();
    events.emit(new PhaseEntered(rank, entered, atStep, ""));
  }

  /** A step is complete. */
  void done(long completed) {
    step = completed;
    moved();
  }

  /** Something was got done, such as a micro-batch. */
  @SuppressWarnings("NonAtomicOperationOnVolatileField") // One writer.
  void moved() {
    moves = moves + 1;
  }

  private void beat() {
    try {
      do {
        events.emit(new Heartbeat(rank, phase, step, moves));
      } while (!closing.await(BEAT_MILLIS, TimeUnit.MILLISECONDS));
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  /** The last beat may still arrive. */
  @Override
  public void close() {
    closing.countDown();
  }
}
