package dev.kindling.kernels.backend.cuda.layout;

/**
 * How activations and working copies of weights are stored; other variables, statistics, sums and
 * weight gradients are always fp32.
 */
public enum Precision {
  FP32,
  BF16
}
