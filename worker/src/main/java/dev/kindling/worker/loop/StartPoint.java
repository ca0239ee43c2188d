package dev.kindling.worker.loop;

import dev.kindling.kernels.backend.Communicator;
import dev.kindling.kernels.graph.PlanException;
import dev.kindling.kernels.graph.Role;
import dev.kindling.kernels.random.Initialization;
import dev.kindling.worker.adapt.Full;
import dev.kindling.worker.checkpoint.CheckpointException;
import dev.kindling.worker.checkpoint.TrainState;
import dev.kindling.worker.data.SkippedBatches;
import dev.kindling.worker.event.EventSink;
import dev.kindling.worker.event.LogLine;
import dev.kindling.worker.model.FirstValues;
import dev.kindling.worker.model.Huggingface;
import dev.kindling.worker.peft.PeftDirectory;
import dev.kindling.worker.plan.TrainPlan;
import dev.kindling.worker.pretrained.PretrainedPlan;
import dev.kindling.worker.pretrained.PretrainedWeights;
import dev.kindling.worker.step.StepProgram;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.function.UnaryOperator;

/** Where steps begin: at first weights, at the newest checkpoint, or before a spike. */
final class StartPoint {
  private final TrainPlan plan;
  private final RunIdentity identity;
  private final StepProgram program;
  private final Checkpointing checkpoints;
  private final Communicator data;
  private final EventSink events;

  StartPoint(
      RunIdentity identity,
      StepProgram program,
      Checkpointing checkpoints,
      Communicator data,
      EventSink events) {
    this.plan = identity.plan();
    this.identity = identity;
    this.program = program;
    this.checkpoints = checkpoints;
    this.data = data;
    this.events = events;
  }

  /** All ranks together. */
  Progress begin() {
    if (!(plan.adapter() instanceof Full)) {
      // Checkpoints hold what is trained; the rest is where every attempt begins.
      fill(false);
    }
    return at(checkpoints.restore());
  }

  private Progress at(Optional<TrainState> restored) {
    if (restored.isEmpty()) {
      program.memory().clear(Role.STATE);
      program.memory().clear(Role.NARROW_STATE);
      fill(true);
      return new Progress(0, 0, List.of(), plan.globalBatch());
    }
    TrainState state = restored.get();
    if (!state.cursor().dataset().equals(identity.dataset())) {
      throw new CheckpointException(
          "checkpoint of step "
              + state.step()
              + ": expected data set "
              + state.cursor().dataset()
              + ", found "
              + identity.dataset()
              + " in "
              + identity.assignment().dataDir());
    }
    Progress progress = Progress.of(state, plan.globalBatch());
    if (data.rank() == 0) {
      progress.log().restore(state.reports()).forEach(events::emit);
    }
    return progress;
  }

  /**
   * Every rank reads of a model directory what it holds, and nothing else.
   *
   * @param adapter whether an adapter's first values are wanted too, not a checkpoint's
   */
  private void fill(boolean adapter) {
    Optional<Path> path = adapter ? PeftDirectory.of(plan.adapter()) : Optional.empty();
    if (path.isPresent()) {
      try (PeftDirectory directory = PeftDirectory.open(path.get())) {
        fill(directory::over);
      }
    } else {
      fill(UnaryOperator.identity());
    }
  }

  private void fill(UnaryOperator<FirstValues> over) {
    if (plan.model() instanceof Huggingface model) {
      try (PretrainedWeights weights = PretrainedPlan.weights(model, plan.spark())) {
        program.fill(weights, over);
      }
    } else {
      FirstValues random =
          (param, from, target) -> Initialization.fill(param, plan.seed(), from, target);
      program.fill(random, over);
    }
  }

  /**
   * Goes back before a spike, whose batches the run leaves out from here on. Nothing but the next
   * checkpoint remembers it: an attempt that dies before that meets the spike again and, since all
   * of this follows from the steps, does the same again. All ranks together.
   *
   * @throws PlanException if the run did so too often
   */
  Progress rollBack(Progress progress, StepWatch watch) {
    SkippedBatches before = progress.leftOut();
    SkippedBatches.Range batches =
        new SkippedBatches.Range(
            before.batchOf(watch.spikeStart() - 1), before.batchOf(watch.spikeEnd() - 1));
    String spike =
        "steps " + watch.spikeStart() + " to " + watch.spikeEnd() + " spiked (batches " + batches;
    if (progress.rollbacks() == plan.guard().rollbacks()) {
      throw new PlanException(
          spike
              + ") after "
              + progress.rollbacks()
              + " rollbacks, as many as guard.rollbacks allows: the run diverges; it may need a"
              + " lower optimizer.lr, a longer warm-up or cleaner data");
    }
    Progress earlier = at(checkpoints.rollBack(watch.spikeStart()));
    earlier.leaveOut(before.and(batches), progress.rollbacks() + 1);
    if (data.rank() == 0) {
      String text =
          spike
              + "): back to step "
              + earlier.step()
              + ", on without these batches; rollback "
              + earlier.rollbacks()
              + " of at most "
              + plan.guard().rollbacks();
      events.emit(new LogLine(0, LogLine.Level.WARN, text));
    }
    return earlier;
  }
}
