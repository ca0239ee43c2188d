package dev.kindling.kernels.graph;

/**
 * Sum of token losses in nats, F32 [1], and number of tokens that count, F32 [1]. Not normalised.
 */
public record LossValues(Value lossSum, Value tokenCount) {}
