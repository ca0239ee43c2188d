package dev.kindling.worker.loop;

import dev.kindling.kernels.backend.Communicator;
import dev.kindling.optim.outer.EveryStep;
import dev.kindling.worker.event.EventSink;
import dev.kindling.worker.event.LogLine;
import dev.kindling.worker.ledger.LedgerChain;
import dev.kindling.worker.plan.GuardSpec;
import dev.kindling.worker.plan.TrainPlan;
import dev.kindling.worker.step.StepOutcome;
import dev.kindling.worker.step.StepProgram;
import java.util.Map;
import java.util.TreeMap;

/** What watches the steps of one rank: the ledger, the guard against spikes, the replica check. */
final class StepWatch implements AutoCloseable {
  private final GuardSpec spec;
  private final Communicator data;
  private final EventSink events;
  private final StepLedger ledger;
  private final StepSlopes slopes;
  private final SpikeGuard spikes;
  private final ReplicaCheck replicas;

  /** Whether losses and gradient norms are those of all ranks. */
  private final boolean shared;

  private long spikeEnd;
  private long checked;

  /**
   * @param segment counts the watches of an attempt, from 0
   */
  StepWatch(
      TrainPlan plan,
      WorkerAssignment assignment,
      int segment,
      Progress progress,
      StepProgram program,
      Communicator data,
      EventSink events) {
    this.spec = plan.guard();
    this.data = data;
    this.events = events;
    this.spikes = SpikeGuard.restore(spec, progress.guards());
    String trajectory = Rejoin.trajectory(plan, progress);
    this.ledger =
        new StepLedger(
            assignment, trajectory, segment, progress, program.stepsInFlight(), data, events);
    this.slopes = new StepSlopes(plan, assignment, segment, progress, program, data, events);
    this.replicas = new ReplicaCheck(program, plan.sync(), data);
    this.shared = plan.sync() instanceof EveryStep;
    this.checked = progress.step();
  }

  StepLedger ledger() {
    return ledger;
  }

  /** Hears of every step, in order; allocates nothing. */
  void finished(Progress progress, StepOutcome outcome) {
    long step = progress.step();
    ledger.done(step, outcome);
    slopes.done(step, outcome);
    if (shared
        && !spiked()
        && !outcome.skipped()
        && spikes.observe(step, outcome.loss(), outcome.gradNorm())) {
      spikeEnd = step;
      if (data.rank() == 0) {
        String text =
            "steps "
                + spikes.firstStep()
                + " to "
                + step
                + " are a spike: "
                + spikes.describe(outcome.loss(), outcome.gradNorm());
        events.emit(new LogLine(0, LogLine.Level.WARN, text));
      }
    }
  }

  /** Whether the run is to go back; equal on all ranks. */
  boolean spiked() {
    return spikeEnd > 0;
  }

  /** First step of the spike. */
  long spikeStart() {
    return spikes.firstStep();
  }

  /** Last step of the spike. */
  long spikeEnd() {
    return spikeEnd;
  }

  /** Whether steps pause after this one so that replicas are compared. */
  boolean pausesAfter(long step, Rounds rounds) {
    return data.worldSize() > 1 && rounds.due(step, spec.hashEverySteps());
  }

  /** Compares replicas if it is time. All ranks together. */
  void paused(long step, Rounds rounds) {
    if (pausesAfter(step, rounds)) {
      check(step);
    }
  }

  private void check(long step) {
    if (spec.hashEverySteps() > 0 && checked < step) {
      replicas.check(step);
      checked = step;
    }
  }

  /**
   * What a checkpoint has to hold beside tensors; it is not to be made of replicas that differ. All
   * ranks together.
   */
  void saving(Progress progress, Rounds rounds) {
    check(progress.step());
    slopes.flush();
    Map<String, String> guards = new TreeMap<>();
    spikes.putInto(guards);
    guards.put(LedgerChain.GUARD, ledger.fold());
    rounds.settle(progress.step(), guards);
    progress.setGuards(guards);
  }

  @Override
  public void close() {
    try (slopes) {
      ledger.close();
    }
  }
}
