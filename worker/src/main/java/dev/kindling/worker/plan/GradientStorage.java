package dev.kindling.worker.plan;

/** How a device stores gradients between backward and update. */
public enum GradientStorage {
  /** In bf16 where a step writes each of them once, else in fp32. */
  AUTO,
  /** What any number of micro-steps may add to. */
  FP32,
  /** Half the memory and half the bytes between ranks; only where a step writes each once. */
  BF16,
  /**
   * Not at all: each parameter is updated as soon as its gradient is complete, and the next
   * gradient may lie where that one lay. Only with one micro-batch per step, whole parameters and
   * no clip_norm. A gradient that is not finite skips its parameter alone, and the step counts as
   * skipped.
   */
  LAYERWISE
}
