package dev.kindling.worker.plan;

/** The kind of device that holds a rank's arenas. */
public enum Device {
  CPU,
  /** One NVIDIA GPU per rank; activations and operands of products in bf16, the rest in fp32. */
  CUDA
}
