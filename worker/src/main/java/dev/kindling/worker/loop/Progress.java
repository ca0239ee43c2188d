package dev.kindling.worker.loop;

import dev.kindling.worker.step.StepOutcome;
import java.util.ArrayList;
import java.util.List;

/** Where a run stands; the only mutable thing beside device memory. Equal on all ranks. */
final class Progress {
  private final long tokensPerStep;
  private final List<Long> skipped;
  private final StepLog log = new StepLog();
  private long step;
  private long tokens;

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

  void finished(StepOutcome outcome) {
    step++;
    tokens += tokensPerStep;
    if (outcome.skipped()) {
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
