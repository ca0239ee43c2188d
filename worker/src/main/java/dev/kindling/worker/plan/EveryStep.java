package dev.kindling.worker.plan;

/** Gradients are summed over all ranks in every step. */
public record EveryStep() implements SyncSpec {}
