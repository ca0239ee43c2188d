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

  /** Updates applied so far: what bias corrections count. */
  long updates() {
    return step - skipped.size();
  }

  /** What rank 0 reported last; empty on other ranks. */
  StepLog log() {
    return log;
  }

  List<Long> skipped() {
    return List.copyOf(skipped);
  }
}
