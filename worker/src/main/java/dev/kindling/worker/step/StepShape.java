package dev.kindling.worker.step;

import dev.kindling.kernels.graph.PlanException;

/**
 * The static shape of one rank's step.
 *
 * @param microTokens T, tokens of one micro-batch; a multiple of {@code sequence}
 * @param sequence tokens per sequence
 * @param maskDocuments attention stays inside a document
 * @param localShards logical shards that this rank sums before it talks to others: a power of two,
 *     1 outside exact mode
 * @param microSteps of every step, so that the first may write over the gradients of the step
 *     before; 0 = any number, the gradients are cleared behind each step
 */
public record StepShape(
    int microTokens, int sequence, boolean maskDocuments, int localShards, int microSteps) {
  public StepShape(int microTokens, int sequence, boolean maskDocuments, int localShards) {
    this(microTokens, sequence, maskDocuments, localShards, 0);
  }

  public StepShape {
    if (microTokens < 1 || sequence < 1 || microTokens % sequence != 0) {
      throw new PlanException(
          "micro_batch: expected a multiple of sequence_length "
              + sequence
              + ", found "
              + microTokens);
    }
    if (microSteps < 0) {
      throw new PlanException("micro-steps of a step: expected 0 or more, found " + microSteps);
    }
    if (Integer.bitCount(localShards) != 1) {
      throw new PlanException(
          "logical_shards per rank: expected a power of two, found " + localShards);
    }
  }

  /** Waiting partial sums that a binary counter over the local shards needs. */
  public int levels() {
    return Integer.numberOfTrailingZeros(localShards);
  }

  /** Whether the first micro-step of a step writes gradients instead of adding to them. */
  public boolean overwrites() {
    return microSteps > 0 && levels() == 0;
  }
}
