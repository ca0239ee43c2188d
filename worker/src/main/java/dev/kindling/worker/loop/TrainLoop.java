package dev.kindling.worker.loop;

import dev.kindling.kernels.backend.Communicator;
import dev.kindling.worker.data.BatchReader;
import dev.kindling.worker.event.EventSink;
import dev.kindling.worker.event.Phase;
import dev.kindling.worker.event.PhaseEntered;
import dev.kindling.worker.plan.TrainPlan;
import dev.kindling.worker.step.StepOutcome;
import dev.kindling.worker.step.StepProgram;
import java.util.Optional;

/** The story of training on one rank: micro-batches, steps, validation, checkpoints, the end. */
final class TrainLoop {
  private final TrainPlan plan;
  private final StepProgram program;
  private final BatchReader batches;
  private final Communicator data;
  private final RankContext context;
  private final Checkpointing checkpoints;
  private final StepReport report;

  TrainLoop(
      TrainPlan plan,
      StepProgram program,
      BatchReader batches,
      Communicator data,
      RankContext context,
      Checkpointing checkpoints) {
    this.plan = plan;
    this.program = program;
    this.batches = batches;
    this.data = data;
    this.context = context;
    this.checkpoints = checkpoints;
    this.report = new StepReport(plan, program, data, context.events());
  }

  /**
   * Trains from the given progress to the planned number of steps, or until a rank asks to stop.
   * Returns after a last checkpoint, which every rank has seen committed.
   */
  WorkerResult run(Progress progress, Optional<Validation> validation) {
    enter(Phase.TRAIN, progress.step() + 1);
    boolean stopped = false;
    while (progress.step() < plan.steps() && !stopped) {
      report.begin();
      StepOutcome outcome = step(progress);
      progress.finished(outcome);
      report.done(progress, outcome);
      boolean complete = progress.step() == plan.steps();
      stopped = outcome.stopVotes() > 0f && !complete;
      boolean last = stopped || complete;
      if (validation.isPresent()
          && !stopped
          && (last || due(progress, plan.validation().everySteps()))) {
        enter(Phase.VALIDATE, progress.step());
        report.validated(progress, validation.get().run());
      }
      if (last || due(progress, plan.checkpoint().everySteps())) {
        enter(Phase.CHECKPOINT, progress.step());
        checkpoints.save(progress, last);
      }
    }
    enter(Phase.DONE, progress.step());
    return new WorkerResult(data.rank(), progress.step(), stopped, checkpoints.lastCommit());
  }

  static boolean due(Progress progress, long everySteps) {
    return everySteps > 0 && progress.step() % everySteps == 0;
  }

  /** One optimizer step: every micro-batch of every local shard, then reduction and update. */
  private StepOutcome step(Progress progress) {
    long step = progress.step() + 1;
    int shards = program.shape().localShards();
    int microSteps = plan.arithmetic().microStepsPerShard();
    for (int shard = 0; shard < shards; shard++) {
      for (int micro = 0; micro < microSteps; micro++) {
        WorkerTask.write(batches.next(), program.inputs());
        boolean lastOfShard = micro == microSteps - 1;
        if (lastOfShard && shard == shards - 1) {
          double factor = plan.schedule().factor(step, plan.steps());
          boolean vote = context.stop().poll() == StopRequest.CHECKPOINT_AND_STOP;
          return program.finish(progress.updates() + 1, factor, vote);
        }
        program.accumulate();
        if (lastOfShard) {
          program.stash(Integer.numberOfTrailingZeros(~shard));
        }
      }
    }
    throw new IllegalStateException("a step has at least one micro-batch");
  }

  private void enter(Phase phase, long step) {
    EventSink events = context.events();
    events.emit(new PhaseEntered(data.rank(), phase, step, ""));
  }
}
