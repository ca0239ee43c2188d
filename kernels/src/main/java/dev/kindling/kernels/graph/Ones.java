package dev.kindling.kernels.graph;

/** All elements 1. */
public record Ones() implements Init {}
