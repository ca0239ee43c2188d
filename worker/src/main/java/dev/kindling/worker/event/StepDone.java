package dev.kindling.worker.event;

/**
 * One optimizer step is complete on all ranks; only rank 0 emits it.
 *
 * @param step number of the step, from 1
 * @param tokens seen so far by all ranks, padding included
 * @param loss mean over the counted tokens of the global batch, nats per token
 * @param gradNorm L2 norm of the mean gradient before clipping
 * @param lr learning rate of this step
 * @param stepMillis wall time of the step
 * @param tokensPerSecond of all ranks
 * @param deviceBytesPeak bytes that one rank reserved on its device, planned bytes on a CPU (all
 *     ranks plan alike)
 * @param commBytes sent by this rank in this step
 * @param commExposedMillis communication that the step waited for
 * @param skipped the non-finite guard left weights and state unchanged
 */
public record StepDone(
    int rank,
    long step,
    long tokens,
    float loss,
    float gradNorm,
    double lr,
    double stepMillis,
    double tokensPerSecond,
    long deviceBytesPeak,
    long commBytes,
    double commExposedMillis,
    boolean skipped)
    implements WorkerEvent {}
