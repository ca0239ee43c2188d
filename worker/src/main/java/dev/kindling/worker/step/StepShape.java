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
 * @param saving what it does to need less memory
 */
public record StepShape(
    int microTokens, int sequence, boolean maskDocuments, int localShards, MemorySaving saving) {
  public StepShape {
    if (microTokens < 1 || sequence < 1 || microTokens % sequence != 0) {
      throw new PlanException(
          "micro_batch: expected a multiple of sequence_length "
              + sequence
              + ", found "
              + microTokens);
    }
    if (Integer.bitCount(localShards) != 1) {
      throw new PlanException(
          "logical_shards per rank: expected a power of two, found " + localShards);
    }
  }

  /** Keeps everything that backward reads. */
  public StepShape(int microTokens, int sequence, boolean maskDocuments, int localShards) {
    this(microTokens, sequence, maskDocuments, localShards, MemorySaving.NONE);
  }

  /** The same step with less memory. */
  public StepShape with(MemorySaving other) {
    return new StepShape(microTokens, sequence, maskDocuments, localShards, other);
  }

  /** The same step over another number of sequences. */
  StepShape ofSequences(int sequences) {
    return new StepShape(sequences * sequence, sequence, maskDocuments, localShards, saving);
  }

  /** Waiting partial sums that a binary counter over the local shards needs. */
  public int levels() {
    return Integer.numberOfTrailingZeros(localShards);
  }
}
