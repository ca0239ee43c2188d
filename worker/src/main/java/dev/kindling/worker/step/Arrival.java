package dev.kindling.worker.step;

/**
 * What arrived at a boundary with the mean displacement, the same bits on all replicas.
 *
 * @param lossSum mean over the replicas of the sums of their token losses in the round, nats
 * @param tokens mean over the replicas of the tokens that counted
 * @param stopVotes share of the replicas that wish to stop
 * @param moved mean over the replicas of the squared length of the displacement
 * @param meanNorm length of the mean displacement
 * @param gain what the mean displacement was multiplied by
 */
public record Arrival(
    float lossSum, float tokens, float stopVotes, float moved, float meanNorm, float gain) {
  /** Mean loss of the round in nats per token; NaN if none counted. */
  public float loss() {
    return lossSum / tokens;
  }

  /** Root of the mean squared distance of the replicas from their mean, at the end of the round. */
  public double drift() {
    return Math.sqrt(Math.max(0, (double) moved - (double) meanNorm * meanNorm));
  }

  /** Whether a round arrived: a first boundary that resets finds none. */
  public boolean isThere() {
    return tokens > 0;
  }
}
