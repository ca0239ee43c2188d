package dev.kindling.worker.loop;

import dev.kindling.kernels.backend.Communicator;
import dev.kindling.worker.event.EventSink;
import dev.kindling.worker.event.LogLine;
import dev.kindling.worker.event.StepDone;
import dev.kindling.worker.event.Validated;
import dev.kindling.worker.plan.TrainPlan;
import dev.kindling.worker.step.StepOutcome;
import dev.kindling.worker.step.StepProgram;

/** Measures steps and reports them from rank 0, after the step and outside its timed part. */
final class StepReport {
  private static final double NANOS_PER_MILLI = 1e6;

  private final TrainPlan plan;
  private final Communicator data;
  private final Rounds rounds;
  private final EventSink events;
  private final long bytesPeak;
  private long startNanos;
  private long startBytes;
  private long startWait;

  /** Of rounds, which a checkpoint between steps may have waited for: the next step tells them. */
  private long toldBytes;

  StepReport(
      TrainPlan plan, StepProgram program, Rounds rounds, Communicator data, EventSink events) {
    this.rounds = rounds;
    this.plan = plan;
    this.data = data;
    this.events = events;
    this.bytesPeak = program.bytesPeak();
  }

  /** Time that does not belong to a step ends here. */
  void begin() {
    startNanos = System.nanoTime();
    startBytes = data.bytesSent();
    startWait = waitNanos();
  }

  void done(Progress progress, StepOutcome outcome) {
    long now = System.nanoTime();
    double millis = (now - startNanos) / NANOS_PER_MILLI;
    long bytes = data.bytesSent() - startBytes + rounds.bytesSent() - toldBytes;
    toldBytes = rounds.bytesSent();
    double wait = (waitNanos() - startWait) / NANOS_PER_MILLI;
    begin();
    // The device computes the next step while this one is told.
    startNanos = now;
    if (outcome.skipped() && (data.rank() == 0 || rounds.areApart())) {
      skipped(progress, outcome);
    }
    if (data.rank() == 0) {
      emit(progress, outcome, millis, bytes, wait);
    }
  }

  private long waitNanos() {
    return data.waitNanos() + rounds.exposedNanos();
  }

  private void skipped(Progress progress, StepOutcome outcome) {
    String text =
        "step "
            + progress.step()
            + (rounds.areApart() ? " skipped on this rank: loss " : " skipped on all ranks: loss ")
            + outcome.loss()
            + ", gradient norm "
            + outcome.gradNorm()
            + ", batch "
            + progress.leftOut().batchOf(progress.step() - 1);
    events.emit(new LogLine(data.rank(), LogLine.Level.WARN, text));
  }

  private void emit(
      Progress progress, StepOutcome outcome, double millis, long bytes, double waitMillis) {
    long step = progress.step();
    boolean due =
        TrainLoop.due(step, plan.log().everySteps())
            || rounds.due(step, plan.validation().everySteps())
            || rounds.endedBehind(step).isPresent();
    if (!due && step != plan.steps() && outcome.stopVotes() == 0f) {
      return;
    }
    double lr = plan.optimizer().lr() * plan.schedule().factor(step, plan.steps());
    StepDone done =
        new StepDone(
            0,
            step,
            progress.tokens(),
            outcome.loss(),
            outcome.gradNorm(),
            lr,
            millis,
            plan.globalBatch() / millis * 1e3,
            bytesPeak,
            bytes,
            waitMillis,
            outcome.skipped());
    progress.log().add(done);
    rounds.endedBehind(step).ifPresent(events::emit);
    events.emit(done);
  }

  void validated(Progress progress, Validation.Result result) {
    if (data.rank() == 0) {
      float loss = result.held().loss();
      progress.log().validated(progress.step(), loss, result.accuracy());
      events.emit(
          new Validated(0, progress.step(), loss, result.held().tokens(), result.accuracy()));
    }
  }
}
