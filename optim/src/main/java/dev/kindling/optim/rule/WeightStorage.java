package dev.kindling.optim.rule;

/** How the matrices that a rule updates are stored between steps. */
public enum WeightStorage {
  /** In fp32, with a copy in the narrow precision of a device: 6 bytes per element on a GPU. */
  FP32,
  /**
   * In codes of 8 bits, 128 elements with a scale and a zero point of their own, rounded at random
   * so that small updates count in the mean: 1 byte and 1/32 on a GPU. The CPU keeps fp32 with the
   * same values.
   */
  INT8
}
