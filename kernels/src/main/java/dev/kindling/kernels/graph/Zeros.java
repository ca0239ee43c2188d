package dev.kindling.kernels.graph;

/** All elements 0. */
public record Zeros() implements Init {}
