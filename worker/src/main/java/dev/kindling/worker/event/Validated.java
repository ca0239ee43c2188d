package dev.kindling.worker.event;

/**
 * Validation after a step.
 *
 * @param loss mean over all validation tokens, nats per token; NaN if nothing was held out
 * @param tokens counted; 0 if nothing was held out
 * @param accuracy share of {@code validation.choices} that was answered right; NaN without
 *     questions
 */
public record Validated(int rank, long step, float loss, long tokens, float accuracy)
    implements WorkerEvent {
  /** Of held-out text alone. */
  public Validated(int rank, long step, float loss, long tokens) {
    this(rank, step, loss, tokens, Float.NaN);
  }

  /** Whether there was held-out text. */
  public boolean hasLoss() {
    return tokens > 0;
  }

  /** Whether there were questions. */
  public boolean hasAccuracy() {
    return !Float.isNaN(accuracy);
  }
}
