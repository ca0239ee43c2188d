package dev.kindling.worker.loop;

import dev.kindling.kernels.backend.Communicator;
import dev.kindling.optim.rule.Mezo;
import dev.kindling.worker.checkpoint.CheckpointException;
import dev.kindling.worker.event.EventSink;
import dev.kindling.worker.event.LogLine;
import dev.kindling.worker.plan.TrainPlan;
import dev.kindling.worker.replay.FirstWeights;
import dev.kindling.worker.replay.SlopeHeader;
import dev.kindling.worker.replay.SlopeLog;
import dev.kindling.worker.replay.SlopeWriter;
import dev.kindling.worker.step.StepOutcome;
import dev.kindling.worker.step.StepProgram;
import dev.kindling.worker.store.StorageLocation;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * The log of a zeroth-order run as rank 0 keeps it; nothing on other ranks and in other runs. Not
 * every store can append: a run folder elsewhere has its checkpoints alone.
 */
final class StepSlopes implements AutoCloseable {
  private final TrainPlan plan;
  private final EventSink events;
  private final @Nullable SlopeWriter writer;
  private boolean complained;

  /**
   * @param segment counts what this attempt begins, from 0
   */
  StepSlopes(
      TrainPlan plan,
      WorkerAssignment assignment,
      int segment,
      Progress progress,
      StepProgram program,
      Communicator data,
      EventSink events) {
    this.plan = plan;
    this.events = events;
    Optional<Path> runDir = StorageLocation.of(assignment.runDir()).path();
    boolean keeps = plan.optimizer() instanceof Mezo && runDir.isPresent();
    // Every rank makes the hash, since none may keep the others waiting in the first step.
    Optional<String> begun =
        keeps && progress.step() == 0 ? Optional.of(FirstWeights.of(program)) : Optional.empty();
    String trajectory = Rejoin.trajectory(plan, progress);
    SlopeHeader header =
        new SlopeHeader(
            progress.step(), program.vocabulary(), begun, trajectory, assignment.configYaml());
    this.writer =
        keeps && data.rank() == 0 ? open(runDir.get(), assignment.epoch(), segment, header) : null;
  }

  private @Nullable SlopeWriter open(Path runDir, long epoch, int segment, SlopeHeader own) {
    try {
      Optional<String> base = own.base().isPresent() ? own.base() : SlopeLog.base(runDir);
      SlopeHeader header =
          new SlopeHeader(own.start(), own.vocabulary(), base, own.run(), own.config());
      return SlopeWriter.open(runDir, epoch, segment, header);
    } catch (IOException | CheckpointException failed) {
      warn(failed.toString());
      return null;
    }
  }

  /** Hears of every step, in order; allocates nothing. */
  void done(long step, StepOutcome outcome) {
    if (writer != null) {
      // As the step block was filled: in double, rounded once.
      double rate = plan.optimizer().lr() * plan.schedule().factor(step, plan.steps());
      writer.append(step, outcome, (float) rate);
    }
  }

  /** Before a checkpoint is begun: from its step on a later attempt writes another file. */
  void flush() {
    String failure = writer == null ? "" : writer.flush();
    if (!failure.isEmpty() && !complained) {
      complained = true;
      warn(failure);
    }
  }

  private void warn(String why) {
    events.emit(
        new LogLine(
            0, LogLine.Level.WARN, "the run cannot be replayed from its slopes any more: " + why));
  }

  @Override
  public void close() {
    flush();
    if (writer != null) {
      writer.close();
    }
  }
}
