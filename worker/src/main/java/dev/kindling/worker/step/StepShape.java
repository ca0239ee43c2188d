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
 * @param saving what it does to need less memory
 * @param scores whether there is a program for the loss of one sequence
 */
public record StepShape(
    int microTokens,
    int sequence,
    boolean maskDocuments,
    int localShards,
    int microSteps,
    MemorySaving saving,
    boolean scores) {
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

  /** Any number of micro-steps; keeps everything that backward reads. */
  public StepShape(int microTokens, int sequence, boolean maskDocuments, int localShards) {
    this(microTokens, sequence, maskDocuments, localShards, 0);
  }

  /** Keeps everything that backward reads. */
  public StepShape(
      int microTokens, int sequence, boolean maskDocuments, int localShards, int microSteps) {
    this(microTokens, sequence, maskDocuments, localShards, microSteps, MemorySaving.NONE);
  }

  /** Without questions. */
  public StepShape(
      int microTokens,
      int sequence,
      boolean maskDocuments,
      int localShards,
      int microSteps,
      MemorySaving saving) {
    this(microTokens, sequence, maskDocuments, localShards, microSteps, saving, false);
  }

  /** The same step, and a program for the loss of one sequence if wanted. */
  public StepShape scoring(boolean wanted) {
    return new StepShape(
        microTokens, sequence, maskDocuments, localShards, microSteps, saving, wanted);
  }

  /** The same step with less memory. */
  public StepShape with(MemorySaving other) {
    return new StepShape(
        microTokens, sequence, maskDocuments, localShards, microSteps, other, scores);
  }

  /** The same step with micro-batches of so many sequences, of which it takes more or fewer. */
  StepShape ofSequences(int sequences) {
    int tokens = sequences * sequence;
    int steps = (int) (((long) microSteps * microTokens + tokens - 1) / tokens);
    return new StepShape(tokens, sequence, maskDocuments, localShards, steps, saving, scores);
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
