package dev.kindling.worker.plan;

/**
 * Counts that follow from a plan.
 *
 * @param sequencesPerMicroBatch samples that one rank reads for one micro-step
 * @param accumulation micro-steps per rank and step
 * @param tokensPerMicroStep tokens of one micro-step over all ranks
 * @param samplesPerStep samples of one step over all ranks
 * @param logicalShardsPerRank neighbouring logical shards whose gradients one rank sums (exact
 *     mode; 1 otherwise)
 * @param microStepsPerShard micro-steps that belong to one logical shard
 */
public record BatchArithmetic(
    int sequencesPerMicroBatch,
    int accumulation,
    long tokensPerMicroStep,
    long samplesPerStep,
    int logicalShardsPerRank,
    int microStepsPerShard) {

  static BatchArithmetic of(TrainPlan plan) {
    long microStep = (long) plan.ranks() * plan.microBatch();
    int accumulation = Math.toIntExact(plan.globalBatch() / microStep);
    boolean exact = plan.determinism() == Determinism.EXACT;
    int shards = exact ? plan.logicalShards() / plan.ranks() : 1;
    return new BatchArithmetic(
        plan.microBatch() / plan.sequenceLength(),
        accumulation,
        microStep,
        plan.globalBatch() / plan.sequenceLength(),
        shards,
        accumulation / shards);
  }

  /** Threads of one rank where {@code ranksHere} ranks share {@code cores} cores. */
  public static int threadsPerRank(TrainPlan plan, int cores, int ranksHere) {
    if (plan.threads() > 0) {
      return plan.threads();
    }
    return plan.determinism() == Determinism.EXACT ? 1 : Math.max(1, cores / ranksHere);
  }
}
