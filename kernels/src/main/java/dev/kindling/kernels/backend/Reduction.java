package dev.kindling.kernels.backend;

/** How contributions of ranks are combined. */
public enum Reduction {
  SUM,
  MAX
}
