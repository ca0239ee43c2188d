package dev.kindling.kernels.memory;

/** Where a block lies: which arena, and how many bytes from its start. */
public record Place(int arena, long offset) {}
