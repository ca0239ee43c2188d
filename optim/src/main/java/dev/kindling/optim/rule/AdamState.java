package dev.kindling.optim.rule;

/** How Adam's two moments are stored. */
public enum AdamState {
  /** 8 bytes per element. */
  FP32,
  /** bf16, rounded at random so that small changes count in the mean: 4 bytes on a GPU. */
  BF16,
  /** Codes of 8 bits, each 256 elements with a scale of their own: 2 bytes and 1/32. */
  INT8
}
