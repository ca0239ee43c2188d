package dev.kindling.worker.loop;

import dev.kindling.kernels.backend.Communicator;
import dev.kindling.optim.rule.Mezo;
import dev.kindling.worker.data.Batch;
import dev.kindling.worker.data.BatchReader;
import dev.kindling.worker.data.BatchSlice;
import dev.kindling.worker.event.Phase;
import dev.kindling.worker.plan.TrainPlan;
import dev.kindling.worker.step.StepInputs;
import dev.kindling.worker.step.StepOutcome;
import dev.kindling.worker.step.StepProgram;
import java.util.Optional;

/** The story of training on one rank: micro-batches, steps, validation, checkpoints, the end. */
final class TrainLoop {
  private final TrainPlan plan;
  private final StepProgram program;
  private final BatchReader batches;
  private final Optional<ObjectiveSteps> objective;
  private final Communicator data;
  private final RankContext context;
  private final Checkpointing checkpoints;
  private final Rounds rounds;
  private final BatchSlice slice;
  private final StepReport report;
  private final StepWatch watch;
  private final Pulse pulse;

  TrainLoop(
      TrainPlan plan,
      StepProgram program,
      BatchReader batches,
      Optional<ObjectiveSteps> objective,
      Communicator data,
      RankContext context,
      Checkpointing checkpoints,
      Rounds rounds,
      StepWatch watch) {
    this.plan = plan;
    this.program = program;
    this.batches = batches;
    this.objective = objective;
    this.data = data;
    this.context = context;
    this.checkpoints = checkpoints;
    this.rounds = rounds;
    this.slice = WorkerTask.slice(plan, data);
    this.watch = watch;
    this.pulse = context.pulse();
    this.report = new StepReport(plan, program, rounds, data, context.events());
  }

  /**
   * Trains from the given progress to the planned number of steps, or until a rank asks to stop.
   * Returns after a last checkpoint, which every rank has seen committed.
   *
   * @return nothing, on all ranks, if the steps ended in a spike that is to be undone
   */
  Optional<WorkerResult> run(Progress progress, Optional<Validation> validation) {
    enter(Phase.TRAIN, progress.step() + 1);
    boolean stopped = false;
    report.begin();
    while (progress.step() < plan.steps() && !stopped) {
      stopped = stepsUntilPause(progress);
      if (watch.spiked()) {
        return Optional.empty();
      }
      watch.paused(progress.step(), rounds);
      boolean complete = progress.step() == plan.steps();
      stopped &= !complete;
      boolean last = stopped || complete;
      if (validation.isPresent()
          && !stopped
          && (last || rounds.due(progress.step(), plan.validation().everySteps()))) {
        enter(Phase.VALIDATE, progress.step());
        report.validated(progress, validation.get().run());
      }
      if (last || rounds.due(progress.step(), plan.checkpoint().everySteps())) {
        enter(Phase.CHECKPOINT, progress.step());
        watch.saving(progress, rounds);
        checkpoints.save(progress, last);
      }
      if (!last) {
        enter(Phase.TRAIN, progress.step() + 1);
      }
      report.begin();
    }
    enter(Phase.DONE, progress.step());
    return Optional.of(
        new WorkerResult(data.rank(), progress.step(), stopped, checkpoints.lastCommit()));
  }

  /**
   * Steps up to the next validation or checkpoint, the last step or a stop. As many are in flight
   * as the device holds, so that it never waits for the host: outcomes are read late.
   *
   * @return whether a rank asked to stop
   */
  private boolean stepsUntilPause(Progress progress) {
    long submitted = progress.step();
    boolean stop = false;
    boolean pause = false;
    while (!pause || progress.step() < submitted) {
      if (!pause) {
        submit(progress, ++submitted);
        pause = pausesAfter(submitted);
      }
      if (pause || submitted - progress.step() == program.stepsInFlight()) {
        StepOutcome outcome = objective.map(ObjectiveSteps::outcome).orElseGet(program::outcome);
        progress.finished(outcome.skipped() && !rounds.areApart());
        rounds.finished(progress.step(), outcome);
        watch.finished(progress, outcome);
        pulse.done(progress.step());
        report.done(progress, outcome);
        stop |= rounds.stop();
        pause |= stop || watch.spiked();
      }
    }
    return stop;
  }

  private boolean pausesAfter(long step) {
    return step == plan.steps()
        || (rounds.areApart() && rounds.endsBehind(step))
        || rounds.due(step, plan.validation().everySteps())
        || rounds.due(step, plan.checkpoint().everySteps())
        || watch.pausesAfter(step, rounds);
  }

  static boolean due(long step, long everySteps) {
    return everySteps > 0 && step % everySteps == 0;
  }

  /** One optimizer step: every micro-batch of every local shard, then reduction and update. */
  private void submit(Progress progress, long step) {
    int shards = program.shape().localShards();
    int microSteps = plan.arithmetic().microStepsPerShard();
    double factor = plan.schedule().factor(step, plan.steps());
    watch.ledger().begin(step);
    if (objective.isPresent()) {
      boolean vote = context.stop().poll() == StopRequest.CHECKPOINT_AND_STOP;
      objective.get().submit(step, factor, vote, watch.ledger());
      pulse.moved();
      return;
    }
    for (int shard = 0; shard < shards; shard++) {
      for (int micro = 0; micro < microSteps; micro++) {
        Batch batch = batches.next();
        watch.ledger().feed(step, batch.samples());
        StepInputs inputs = program.inputs();
        WorkerTask.write(batch, inputs);
        long first = slice.position(step - 1, shard * microSteps + micro, 0);
        inputs.place(first * plan.sequenceLength());
        pulse.moved();
        boolean lastOfShard = micro == microSteps - 1;
        if (lastOfShard && shard == shards - 1) {
          boolean vote = context.stop().poll() == StopRequest.CHECKPOINT_AND_STOP;
          program.submit(numberOf(progress, step), factor, vote);
          rounds.submitted(step);
        } else {
          program.accumulate(numberOf(progress, step), factor);
        }
        if (lastOfShard && shard < shards - 1) {
          program.stash(Integer.numberOfTrailingZeros(~shard));
        }
      }
    }
  }

  /** What counts the step: moments count updates, random directions every step. */
  private long numberOf(Progress progress, long step) {
    return plan.optimizer() instanceof Mezo ? step : progress.updateOf(step);
  }

  private void enter(Phase phase, long step) {
    pulse.enter(phase, step);
  }
}
