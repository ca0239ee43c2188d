package dev.kindling.driver.launch;

import dev.kindling.worker.launch.AttemptFailedException;
import dev.kindling.worker.launch.FailureKind;
import dev.kindling.worker.launch.Launcher;
import dev.kindling.worker.loop.StopRequest;
import dev.kindling.worker.loop.StopSignal;
import dev.kindling.worker.loop.WorkerAssignment;
import dev.kindling.worker.loop.WorkerResult;
import java.security.SecureRandom;
import java.util.List;

/**
 * A run is a row of attempts. An attempt starts all ranks from the newest committed checkpoint
 * under a new fencing epoch and a new secret; any failure ends all of them, and the next attempt
 * follows unless the failure is the user's or the budget is spent. There is no other recovery.
 */
public final class AttemptLoop {
  private static final int SECRET_BYTES = 32;

  private final Launcher launcher;
  private AttemptTerms terms;
  private final EpochClaim epochs;
  private final RunObserver observer;
  private final StopSignal stop;
  private final RetryBudget budget;

  /**
   * @param epochs gives each attempt its fencing epoch
   */
  public AttemptLoop(
      Launcher launcher,
      AttemptTerms terms,
      EpochClaim epochs,
      RunObserver observer,
      StopSignal stop,
      RetryBudget budget) {
    this.launcher = launcher;
    this.terms = terms;
    this.epochs = epochs;
    this.observer = observer;
    this.stop = stop;
    this.budget = budget;
  }

  /**
   * @return the results of the attempt that ended well, in rank order
   * @throws AttemptFailedException the last failure, when no attempt may follow it; of kind
   *     CHECKPOINT soon after a newer epoch was claimed by anybody else
   */
  public List<WorkerResult> run() throws InterruptedException {
    RetryBudget.Account account = budget.open();
    for (int attempt = terms.firstAttempt(); ; attempt++) {
      WorkerAssignment assignment = assignment(attempt);
      observer.attemptStarts(attempt);
      try {
        return attempt(assignment);
      } catch (AttemptFailedException e) {
        boolean again =
            e.kind().retryable()
                && stop.poll() == StopRequest.NONE
                && account.take(System.nanoTime());
        observer.attemptFailed(attempt, e, again);
        if (!again) {
          throw e;
        }
        if (e.kind() == FailureKind.LOST_SLOTS) {
          reduce(attempt + 1);
        }
      }
    }
  }

  private List<WorkerResult> attempt(WorkerAssignment assignment) throws InterruptedException {
    HangLimits limits = HangLimits.of(terms.hangTimeout());
    Thread self = Thread.currentThread();
    try (EpochClaim.Watch newer = epochs.watch();
        HangWatch ranks = new HangWatch(limits, terms.ranks(), observer, self).start()) {
      try {
        return launcher.run(assignment, terms.ranks(), ranks, stop);
      } catch (InterruptedException e) {
        newer.check();
        ranks.check();
        throw e;
      }
    }
  }

  /**
   * Slots were waited for long enough: the next attempt takes what is there, where that is right.
   */
  private void reduce(int nextAttempt) {
    int before = terms.ranks();
    int present = launcher.slots();
    if (present < before) {
      terms.onAtMost(present).ifPresent(fewer -> terms = fewer);
    }
    if (terms.ranks() < before) {
      observer.ranksReduced(nextAttempt, before, terms.ranks());
    }
  }

  private WorkerAssignment assignment(int attempt) {
    byte[] secret = new byte[SECRET_BYTES];
    new SecureRandom().nextBytes(secret);
    return new WorkerAssignment(
        terms.configYaml(),
        terms.runDir(),
        terms.dataDir(),
        attempt,
        epochs.next(),
        terms.bindAddress(),
        secret);
  }
}
