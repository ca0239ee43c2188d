package dev.kindling.kernels.graph;

/** The parameter is frozen: no gradient variable exists. */
public record None() implements Demand {}
