package dev.kindling.worker.plan;

/** How replicas agree on the weights. */
public sealed interface SyncSpec permits EveryStep {}
