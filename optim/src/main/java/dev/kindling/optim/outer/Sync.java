package dev.kindling.optim.outer;

/** How ranks agree on the weights. */
public sealed interface Sync permits EveryStep, OuterMethod {}
