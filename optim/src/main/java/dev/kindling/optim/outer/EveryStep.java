package dev.kindling.optim.outer;

/** Gradients are summed over all ranks in every step. */
public record EveryStep() implements Sync {}
