package dev.kindling.worker.loop;

import dev.kindling.worker.checkpoint.TrainState;
import dev.kindling.worker.data.SkippedBatches;
import dev.kindling.worker.step.StepOutcome;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** Where a run stands; the only mutable thing beside device memory. Equal on all ranks. */
final class Progress {
  private static final String LEFT_OUT = "spike.left_out";
  private static final String ROLLBACKS = "spike.rollbacks";

  private final long tokensPerStep;
  private final List<Long> skipped;
  private final StepLog log = new StepLog();
  private long step;
  private long tokens;
  private SkippedBatches leftOut = SkippedBatches.NONE;
  private int rollbacks;
  private Map<String, String> guards = Map.of();

  /**
   * @param step steps done
   * @param tokens tokens seen by all ranks
   * @param skipped steps that the non-finite guard left without an update, ascending
   */
  Progress(long step, long tokens, List<Long> skipped, long tokensPerStep) {
    this.step = step;
    this.tokens = tokens;
    this.skipped = new ArrayList<>(skipped);
    this.tokensPerStep = tokensPerStep;
  }

  /** As a checkpoint left it. */
  static Progress of(TrainState state, long tokensPerStep) {
    Progress progress =
        new Progress(state.step(), state.tokens(), state.skippedSteps(), tokensPerStep);
    progress.guards = state.guards();
    progress.leftOut = SkippedBatches.decode(state.guards().getOrDefault(LEFT_OUT, ""));
    progress.rollbacks = Integer.parseInt(state.guards().getOrDefault(ROLLBACKS, "0"));
    return progress;
  }

  /** Goes on without these batches, after so many rollbacks. */
  void leaveOut(SkippedBatches batches, int rollbacksSoFar) {
    leftOut = batches;
    rollbacks = rollbacksSoFar;
  }

  /** Global batches that the run does not feed. */
  SkippedBatches leftOut() {
    return leftOut;
  }

  int rollbacks() {
    return rollbacks;
  }

  /** Values of the guards by name, as the last checkpoint holds them or the next one will. */
  Map<String, String> guards() {
    return guards;
  }

  /** To be saved with the next checkpoint, beside what a rollback left out. */
  void setGuards(Map<String, String> values) {
    Map<String, String> all = new TreeMap<>(values);
    if (rollbacks > 0) {
      all.put(LEFT_OUT, leftOut.encode());
      all.put(ROLLBACKS, Integer.toString(rollbacks));
    }
    guards = all;
  }

  void finished(StepOutcome outcome) {
    finished(outcome.skipped());
  }

  /**
   * @param stepSkipped whether the step left every parameter as it was
   */
  void finished(boolean stepSkipped) {
    step++;
    tokens += tokensPerStep;
    if (stepSkipped) {
      skipped.add(step);
    }
  }

  long step() {
    return step;
  }

  long tokens() {
    return tokens;
  }

  /**
   * Number of the update that a step applies, from 1: what bias corrections count. Steps that were
   * skipped do not count, except the one just before, whose outcome is not known yet when a device
   * gets its next step; so every device and every resumed run count alike.
   */
  long updateOf(long next) {
    return next - skipped.stream().filter(earlier -> earlier < next - 1).count();
  }

  /** What rank 0 reported last; empty on other ranks. */
  StepLog log() {
    return log;
  }

  List<Long> skipped() {
    return List.copyOf(skipped);
  }
}
