package dev.kindling.worker.plan;

/** The kind of device that holds a rank's arenas. */
public enum Device {
  CPU,
  /**
   * One NVIDIA GPU per rank; activations, operands of products and gradients that a step writes
   * once in bf16 (see {@link GradientStorage}), the rest in fp32.
   */
  CUDA
}
