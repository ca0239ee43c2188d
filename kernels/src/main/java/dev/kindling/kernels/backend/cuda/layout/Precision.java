package dev.kindling.kernels.backend.cuda.layout;

/** How activations are stored; variables, statistics, sums and weight gradients are always fp32. */
public enum Precision {
  FP32,
  BF16
}
