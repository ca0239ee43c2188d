package dev.kindling.worker.step;

/**
 * What a step tells the host, equal on all ranks.
 *
 * @param lossSum sum of token losses over the global batch, nats
 * @param tokenCount tokens that counted
 * @param gradNorm L2 norm of the mean gradient before clipping
 * @param scale factor that the update multiplied the gradient with; 0 = the step was skipped
 * @param stopVotes ranks that wish to stop
 */
public record StepOutcome(
    float lossSum, float tokenCount, float gradNorm, float scale, float stopVotes) {

  /** Mean loss in nats per token. */
  public float loss() {
    return (float) ((double) lossSum / tokenCount);
  }

  /** The non-finite guard left weights and state as they were. */
  public boolean skipped() {
    return scale == 0f;
  }
}
