package dev.kindling.driver.plugin;

import dev.kindling.worker.event.EventCodec;
import dev.kindling.worker.event.LogLine;
import dev.kindling.worker.event.WorkerEvent;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;

/**
 * Events of one rank that the driver has not acknowledged. {@link #put} from any thread and never
 * blocks; the rest is for one thread at a time.
 */
final class Outbox {
  /**
   * @param first number of the first event among all of this rank, from 0
   * @param events in their wire form, oldest first
   */
  record Batch(long first, byte[][] events) {}

  private static final int BATCH_EVENTS = 256;

  /** A batch ends with the event that reaches this; one event has at most as much again. */
  private static final int BATCH_BYTES = EventCodec.MAX_BYTES;

  private final LinkedBlockingQueue<WorkerEvent> queue;
  private final AtomicLong dropped = new AtomicLong();
  private final EventCodec codec = new EventCodec();
  private long taken;
  private @Nullable Batch open;

  /**
   * @param capacity events that may wait; the oldest are dropped rather than stopping the step
   */
  Outbox(int capacity) {
    queue = new LinkedBlockingQueue<>(capacity);
  }

  void put(WorkerEvent event) {
    while (!queue.offer(event)) {
      if (queue.poll() != null) {
        dropped.incrementAndGet();
      }
    }
  }

  /** The same batch until it was acknowledged, then the next one; empty if nothing waits. */
  Batch batch() {
    Batch batch = open;
    if (batch == null) {
      batch = next();
      open = batch;
    }
    return batch;
  }

  private Batch next() {
    List<byte[]> encoded = new ArrayList<>();
    int bytes = 0;
    while (encoded.size() < BATCH_EVENTS && bytes < BATCH_BYTES) {
      WorkerEvent event = queue.poll();
      if (event == null) {
        break;
      }
      byte[] wire = encode(event);
      encoded.add(wire);
      bytes += wire.length;
    }
    long first = taken + dropped.get();
    taken += encoded.size();
    return new Batch(first, encoded.toArray(new byte[0][]));
  }

  /** One event that does not fit on the wire must not hold up the others for ever. */
  private byte[] encode(WorkerEvent event) {
    try {
      return codec.encode(event);
    } catch (RuntimeException e) {
      String text = event.getClass().getSimpleName() + " could not be sent to the driver: " + e;
      return codec.encode(new LogLine(event.rank(), LogLine.Level.ERROR, text));
    }
  }

  /** The driver has the batch. */
  void acknowledged() {
    open = null;
  }

  boolean isEmpty() {
    return open == null && queue.isEmpty();
  }
}
