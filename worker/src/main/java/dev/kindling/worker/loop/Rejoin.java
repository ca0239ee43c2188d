package dev.kindling.worker.loop;

import dev.kindling.kernels.backend.Communicator;
import dev.kindling.optim.rule.Mezo;
import dev.kindling.worker.checkpoint.CheckpointException;
import dev.kindling.worker.event.EventSink;
import dev.kindling.worker.event.LogLine;
import dev.kindling.worker.event.StepDone;
import dev.kindling.worker.event.StepRecalled;
import dev.kindling.worker.ledger.LedgerChain;
import dev.kindling.worker.ledger.LedgerHistory;
import dev.kindling.worker.ledger.LedgerStep;
import dev.kindling.worker.plan.PlanChange;
import dev.kindling.worker.plan.TrainPlan;
import dev.kindling.worker.replay.FirstWeights;
import dev.kindling.worker.replay.SlopeLog;
import dev.kindling.worker.replay.SlopeRecord;
import dev.kindling.worker.step.StepProgram;
import dev.kindling.worker.store.StorageLocation;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.stream.Collectors;

/**
 * How the ranks of a zeroth-order run come back after one was lost: the steps that earlier attempts
 * logged after the newest checkpoint are not computed again, every rank makes their updates from
 * the slopes, bit for bit. Weights come from the slopes; losses and samples, which the guards and
 * the chain of the ledger go on from, from the ledger: what both hold is taken.
 *
 * <p>A spike ends it, and the last step of a run is always computed, so that what follows a spike
 * and an end happens where it always does.
 */
final class Rejoin {
  private final TrainPlan plan;
  private final WorkerAssignment assignment;
  private final StepProgram program;
  private final Communicator data;
  private final EventSink events;
  private final Pulse pulse;

  Rejoin(
      WorkerAssignment assignment,
      TrainPlan plan,
      StepProgram program,
      RankContext context,
      Communicator data) {
    this.plan = plan;
    this.assignment = assignment;
    this.program = program;
    this.data = data;
    this.events = context.events();
    this.pulse = context.pulse();
  }

  /** Name of the trajectory from here on: steps of another are of another run. */
  static String trajectory(TrainPlan plan, Progress progress) {
    return LedgerChain.trajectory(
        PlanChange.trajectory(plan) + "left out: " + progress.leftOut().encode());
  }

  /**
   * Goes on from the progress as far as the log does. All ranks together.
   *
   * @throws CheckpointException if the run began with other weights than it would begin with now
   */
  void goOn(Progress progress, Optional<Validation> validation) {
    Optional<Path> runDir = StorageLocation.of(assignment.runDir()).path();
    if (!(plan.optimizer() instanceof Mezo mezo) || runDir.isEmpty()) {
      return;
    }
    String told =
        SoloWork.told(
            data,
            () ->
                known(runDir.get(), progress, mezo.directions()).stream()
                    .map(LoggedStep::encode)
                    .collect(Collectors.joining("\n")));
    List<LoggedStep> steps =
        told.isEmpty() ? List.of() : told.lines().map(LoggedStep::decode).toList();
    steps = steps.subList(0, beforeSpike(progress, steps));
    if (steps.isEmpty()) {
      return;
    }
    long first = progress.step() + 1;
    if (first == 1) {
      expectBase(runDir.get());
    }
    apply(progress, steps, validation);
    say(
        LogLine.Level.INFO,
        "steps " + first + " to " + progress.step() + " made again from their logged slopes");
  }

  /** What slopes and ledger both know of the steps after the progress, without a gap. */
  private List<LoggedStep> known(Path runDir, Progress progress, int directions) {
    String run = trajectory(plan, progress);
    List<LoggedStep> known = new ArrayList<>();
    try {
      Optional<SlopeLog> log = SlopeLog.ofRun(runDir, run);
      if (log.isEmpty()) {
        return known;
      }
      Map<Long, List<SlopeRecord>> slopes =
          log.get().records().stream().collect(Collectors.groupingBy(SlopeRecord::step));
      Map<Long, LedgerStep> ledger = LedgerHistory.read(runDir, progress.step(), run).steps();
      for (long step = progress.step() + 1; step < plan.steps(); step++) {
        List<SlopeRecord> records = slopes.getOrDefault(step, List.of());
        LedgerStep line = ledger.get(step);
        if (records.size() != directions || line == null || line.samples().isEmpty()) {
          break;
        }
        known.add(LoggedStep.of(records, line));
      }
    } catch (IOException | CheckpointException unreadable) {
      say(LogLine.Level.WARN, "steps are computed again: " + unreadable.getMessage());
      known.clear();
    }
    return known;
  }

  /** How many of the steps come before one that completes a spike. */
  private int beforeSpike(Progress progress, List<LoggedStep> steps) {
    SpikeGuard spikes = SpikeGuard.restore(plan.guard(), progress.guards());
    for (int i = 0; i < steps.size(); i++) {
      LoggedStep step = steps.get(i);
      if (!step.skipped() && spikes.observe(step.step(), step.loss(), step.gradNorm())) {
        return i;
      }
    }
    return steps.size();
  }

  private void expectBase(Path runDir) {
    String found = FirstWeights.of(program);
    Optional<String> expected;
    try {
      expected = SlopeLog.base(runDir);
    } catch (IOException unreadable) {
      expected = Optional.empty();
    }
    if (expected.isPresent() && !expected.get().equals(found)) {
      throw new CheckpointException(
          runDir.resolve(dev.kindling.worker.replay.SlopeWriter.FOLDER)
              + ": expected the weights with which the run began, hash "
              + expected.get()
              + ", found others, hash "
              + found);
    }
  }

  private void apply(Progress progress, List<LoggedStep> steps, Optional<Validation> validation) {
    SpikeGuard spikes = SpikeGuard.restore(plan.guard(), progress.guards());
    String head = progress.guards().get(LedgerChain.GUARD);
    LedgerChain chain = head == null ? LedgerChain.begin() : LedgerChain.at(head);
    long measured = lastDue(steps, plan.validation().everySteps());
    for (LoggedStep step : steps) {
      program.slopes().begin(step.step(), step.rate());
      program.slopes().apply(step.skipped(), step.slopes());
      chain.add(step.step(), step.lossBits(), step.gradNormBits(), step.samples());
      if (!step.skipped()) {
        spikes.observe(step.step(), step.loss(), step.gradNorm());
      }
      progress.finished(step.skipped());
      pulse.moved();
      recall(progress, step, step.step() == measured ? validation : Optional.empty());
    }
    Map<String, String> guards = new TreeMap<>();
    spikes.putInto(guards);
    guards.put(LedgerChain.GUARD, chain.head());
    progress.setGuards(guards);
  }

  private static long lastDue(List<LoggedStep> steps, long every) {
    return steps.stream()
        .map(LoggedStep::step)
        .filter(step -> TrainLoop.due(step, every))
        .max(Comparator.naturalOrder())
        .orElse(0L);
  }

  /**
   * Reports that died with their process are told again, the measurement too that came last; how
   * long a step took nobody knows any more.
   */
  private void recall(Progress progress, LoggedStep step, Optional<Validation> validation) {
    Optional<Validation.Result> result = validation.map(Validation::run);
    boolean due =
        TrainLoop.due(step.step(), plan.log().everySteps())
            || TrainLoop.due(step.step(), plan.validation().everySteps());
    if (data.rank() != 0 || !due) {
      return;
    }
    StepDone done =
        new StepDone(
            0,
            step.step(),
            progress.tokens(),
            step.loss(),
            step.gradNorm(),
            plan.optimizer().lr() * plan.schedule().factor(step.step(), plan.steps()),
            Double.NaN,
            Double.NaN,
            program.bytesPeak(),
            0,
            Double.NaN,
            step.skipped());
    progress.log().add(done);
    result.ifPresent(
        measured ->
            progress.log().validated(step.step(), measured.held().loss(), measured.accuracy()));
    events.emit(
        new StepRecalled(
            0,
            done,
            result.map(measured -> measured.held().loss()).orElse(Float.NaN),
            result.map(Validation.Result::accuracy).orElse(Float.NaN)));
  }

  private void say(LogLine.Level level, String text) {
    if (data.rank() == 0) {
      events.emit(new LogLine(0, level, text));
    }
  }
}
