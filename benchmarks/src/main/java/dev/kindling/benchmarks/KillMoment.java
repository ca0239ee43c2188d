package dev.kindling.benchmarks;

import java.util.Random;

/**
 * When a run is killed: some milliseconds after a step was logged.
 *
 * @param step at least 1, at most one before the last
 */
record KillMoment(KillTarget target, long step, int delayMillis) {
  private static final int DELAY_MILLIS = 60;

  /** Every second moment falls right after a step that is followed by a checkpoint. */
  static KillMoment of(Random random, KillTarget target, int steps, int checkpointEvery) {
    boolean aimed = random.nextBoolean();
    // A driver that dies before the first commit leaves nothing to resume.
    int first = target == KillTarget.DRIVER ? checkpointEvery + 1 : 1;
    long step = (long) first + random.nextInt(steps - 1 - first);
    if (aimed && step / checkpointEvery * checkpointEvery >= first) {
      step = step / checkpointEvery * checkpointEvery;
    }
    return new KillMoment(target, step, random.nextInt(DELAY_MILLIS));
  }

  @Override
  public String toString() {
    return target + " at step " + step + " + " + delayMillis + " ms";
  }
}
