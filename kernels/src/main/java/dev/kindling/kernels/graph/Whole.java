package dev.kindling.kernels.graph;

/** The gradient has the shape of the parameter. */
public record Whole() implements Demand {}
