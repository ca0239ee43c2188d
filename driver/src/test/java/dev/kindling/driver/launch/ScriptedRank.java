package dev.kindling.driver.launch;

import dev.kindling.worker.checkpoint.CheckpointException;
import dev.kindling.worker.checkpoint.CheckpointStore;
import dev.kindling.worker.checkpoint.Generation;
import dev.kindling.worker.checkpoint.TinyRun;
import dev.kindling.worker.event.CheckpointSaved;
import dev.kindling.worker.event.EventSink;
import dev.kindling.worker.event.StepDone;
import dev.kindling.worker.ledger.LedgerChain;
import dev.kindling.worker.ledger.LedgerHeader;
import dev.kindling.worker.ledger.LedgerWriter;
import dev.kindling.worker.loop.WorkerAssignment;
import dev.kindling.worker.store.LocalStorage;
import java.nio.file.Path;
import java.util.ArrayList;

/**
 * A rank that computes nothing: its losses follow from the steps, so that a test knows them. Its
 * checkpoints, its ledger and its reports are real. Once it was stopped and woke, its losses are
 * wrong: wherever one appears, a zombie has been heard.
 */
final class ScriptedRank implements AutoCloseable {
  static final int SAVE_EVERY = 3;
  private static final float WRONG = 1000f;
  private static final long FLUSH_MILLIS = 10_000;

  private final WorkerAssignment assignment;
  private final EventSink events;
  private final Gate gate;
  private final CheckpointStore store;
  private final LedgerWriter ledger;
  private long step;

  ScriptedRank(WorkerAssignment assignment, EventSink events, Gate gate) {
    this.assignment = assignment;
    this.events = events;
    this.gate = gate;
    Path runDir = Path.of(assignment.runDir());
    store = TinyRun.open(gate.before(new LocalStorage(runDir.resolve("checkpoints"))));
    step = store.newestValid(new ArrayList<>()).map(Generation::step).orElse(0L);
    LedgerHeader header =
        new LedgerHeader(LedgerChain.trajectory("scripted"), assignment.epoch(), 0, 1, 0, step);
    ledger = LedgerWriter.open(runDir, header);
  }

  static float loss(long step) {
    return 1f / step;
  }

  static long samples(long step) {
    return 77 * step;
  }

  long step() {
    return step;
  }

  /**
   * @throws CheckpointException if it is fenced
   */
  void runTo(long last) {
    while (step < last) {
      gate.pass("step");
      step++;
      float loss = loss(step) + (gate.isOpened() ? WRONG : 0);
      int bits = Float.floatToIntBits(loss);
      gate.pass("ledger");
      ledger.append(step, bits, bits, samples(step));
      gate.pass("report");
      events.emit(new StepDone(0, step, step, loss, loss, 1e-3, 1, 1, 1, 1, 0, false));
      if (step % SAVE_EVERY == 0) {
        flush();
        TinyRun.save(store, assignment.epoch(), step, 1);
        gate.pass("report of a save");
        events.emit(new CheckpointSaved(0, step, "saved", 1, 1, 1, ""));
      }
    }
  }

  /** All lines of the ledger are written when this returns. */
  void flush() {
    String failure = ledger.flush(FLUSH_MILLIS);
    if (!failure.isEmpty()) {
      throw new IllegalStateException(failure);
    }
  }

  @Override
  public void close() {
    ledger.close();
  }
}
