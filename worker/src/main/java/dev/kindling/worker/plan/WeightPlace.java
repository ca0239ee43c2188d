package dev.kindling.worker.plan;

/** Where the weights of a model's layers lie. */
public enum WeightPlace {
  /** On the device. */
  DEVICE,
  /**
   * In page-locked memory of the host: each layer is copied to the device while the layer before it
   * computes. For models larger than the device, with optimizer mezo.
   */
  HOST
}
