package dev.kindling.worker.loop;

import dev.kindling.comm.rendezvous.TextExchange;
import dev.kindling.kernels.backend.Communicator;
import dev.kindling.kernels.fault.Failpoint;
import dev.kindling.worker.event.EventSink;
import dev.kindling.worker.event.LogLine;
import dev.kindling.worker.ledger.LedgerChain;
import dev.kindling.worker.ledger.LedgerHeader;
import dev.kindling.worker.ledger.LedgerHistory;
import dev.kindling.worker.ledger.LedgerStep;
import dev.kindling.worker.ledger.LedgerWriter;
import dev.kindling.worker.step.StepOutcome;
import dev.kindling.worker.store.StorageLocation;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;

/**
 * The ledger as one rank keeps it. Each rank writes what it saw and what it fed, without a message
 * to the others; at a checkpoint, where all ranks meet anyway, their samples are added up and the
 * chain goes on. Rank 0 compares steps that an earlier attempt recorded.
 */
final class StepLedger implements AutoCloseable {
  private static final long FLUSH_MILLIS = 2_000;
  private static final int SAMPLE_DIGITS = 16;
  private static final int ROOM = 4096;

  private final Communicator data;
  private final EventSink events;
  private final LedgerWriter writer;
  private final LedgerChain chain;
  private final LedgerHistory earlier;
  private final long lastEarlier;

  /** Samples of the steps that were submitted and are not done, by step. */
  private final long[] fed;

  /** Steps since the last checkpoint, which the chain does not hold yet. */
  private int[] lossBits = new int[ROOM];

  private int[] gradNormBits = new int[ROOM];
  private long[] samples = new long[ROOM];
  private int open;
  private long lastStep;
  private long compared;
  private long differing;
  private boolean complained;

  /**
   * @param trajectory of the run from here on; only what was recorded on it is compared
   * @param segment counts what this attempt begins, from 0
   * @param inFlight steps that are submitted before the outcome of the first is read
   */
  StepLedger(
      WorkerAssignment assignment,
      String trajectory,
      int segment,
      Progress progress,
      int inFlight,
      Communicator data,
      EventSink events) {
    this.data = data;
    this.events = events;
    this.lastStep = progress.step();
    this.fed = new long[inFlight + 1];
    String head = progress.guards().get(LedgerChain.GUARD);
    this.chain = head == null ? LedgerChain.begin() : LedgerChain.at(head);
    Optional<Path> runDir = StorageLocation.of(assignment.runDir()).path();
    this.earlier =
        data.rank() == 0 && runDir.isPresent()
            ? read(runDir.get(), trajectory)
            : new LedgerHistory(none(), List.of());
    this.lastEarlier = earlier.steps().isEmpty() ? 0 : earlier.steps().lastKey();
    LedgerHeader header =
        new LedgerHeader(
            trajectory,
            assignment.epoch(),
            segment,
            data.worldSize(),
            data.rank(),
            progress.step());
    // Not every store can append: a run folder elsewhere has the chain in its checkpoints alone.
    this.writer = runDir.map(path -> LedgerWriter.open(path, header)).orElseGet(LedgerWriter::none);
  }

  private static java.util.SortedMap<Long, LedgerStep> none() {
    return java.util.Collections.emptySortedMap();
  }

  private LedgerHistory read(Path runDir, String trajectory) {
    try {
      LedgerHistory history = LedgerHistory.read(runDir, lastStep, trajectory);
      history.damages().forEach(damage -> warn("ledger: " + damage));
      return history;
    } catch (IOException unreadable) {
      warn("the ledger of earlier attempts cannot be read: " + unreadable);
      return new LedgerHistory(none(), List.of());
    }
  }

  /** A step takes its first micro-batch. */
  void begin(long step) {
    fed[(int) (step % fed.length)] = 0;
  }

  /** A micro-batch of this rank goes into a step. */
  void feed(long step, long batchSamples) {
    fed[(int) (step % fed.length)] += batchSamples;
  }

  /** Allocates nothing once the run is past what it computes again. */
  void done(long step, StepOutcome outcome) {
    // Canonical: which NaN it is may depend on the machine.
    int loss = Float.floatToIntBits(outcome.loss());
    int gradNorm = Float.floatToIntBits(outcome.gradNorm());
    long own = fed[(int) (step % fed.length)];
    writer.append(step, loss, gradNorm, own);
    if (open == samples.length) {
      lossBits = Arrays.copyOf(lossBits, 2 * open);
      gradNormBits = Arrays.copyOf(gradNormBits, 2 * open);
      samples = Arrays.copyOf(samples, 2 * open);
    }
    lossBits[open] = loss;
    gradNormBits[open] = gradNorm;
    samples[open++] = own;
    lastStep = step;
    if (step <= lastEarlier) {
      compare(new LedgerStep(step, loss, gradNorm, OptionalLong.empty(), 0));
      if (step == lastEarlier) {
        sum();
      }
    }
  }

  private void compare(LedgerStep found) {
    LedgerStep expected = earlier.steps().get(found.step());
    if (expected == null) {
      return;
    }
    compared++;
    String difference = expected.difference(found);
    if (!difference.isEmpty()) {
      differing++;
      if (differing == 1) {
        warn(differs(expected, difference));
      }
    }
  }

  private static String differs(LedgerStep expected, String difference) {
    return "step "
        + expected.step()
        + " was computed again with another result; expected (epoch "
        + expected.epoch()
        + " recorded it) and found: "
        + difference
        + "; suspected: silent data corruption or nondeterminism";
  }

  private void sum() {
    if (differing > 0) {
      warn(differing + " of " + compared + " steps that were computed again differ");
    } else {
      events.emit(
          new LogLine(
              0, LogLine.Level.INFO, "ledger: " + compared + " steps computed again, equal bits"));
    }
  }

  /** Adds the open steps to the chain. All ranks together. */
  String fold() {
    Failpoint.LEDGER_FOLD.before();
    StringBuilder own = new StringBuilder(SAMPLE_DIGITS * open);
    for (int i = 0; i < open; i++) {
      String digits = Long.toHexString(samples[i]);
      own.append("0".repeat(SAMPLE_DIGITS - digits.length())).append(digits);
    }
    List<String> told = TextExchange.allGather(data, own.toString());
    long first = lastStep - open + 1;
    for (int i = 0; i < open; i++) {
      long sum = 0;
      for (String digits : told) {
        sum +=
            Long.parseUnsignedLong(
                digits.substring(SAMPLE_DIGITS * i, SAMPLE_DIGITS * (i + 1)), 16);
      }
      chain.add(first + i, lossBits[i], gradNormBits[i], sum);
      if (first + i <= lastEarlier) {
        compareSamples(first + i, sum);
      }
    }
    open = 0;
    String failure = writer.flush(FLUSH_MILLIS);
    if (!failure.isEmpty() && !complained) {
      complained = true;
      events.emit(new LogLine(data.rank(), LogLine.Level.WARN, "ledger ends here: " + failure));
    }
    Failpoint.LEDGER_FOLD.after();
    return chain.head();
  }

  private void compareSamples(long step, long found) {
    LedgerStep expected = earlier.steps().get(step);
    if (expected != null && expected.samples().isPresent()) {
      LedgerStep again =
          new LedgerStep(
              step, expected.lossBits(), expected.gradNormBits(), OptionalLong.of(found), 0);
      String difference = expected.difference(again);
      if (!difference.isEmpty()) {
        warn(differs(expected, difference));
      }
    }
  }

  private void warn(String text) {
    events.emit(new LogLine(data.rank(), LogLine.Level.WARN, text));
  }

  @Override
  public void close() {
    writer.close();
  }
}
