package dev.kindling.worker.plan;

/** How a device stores the gradients of matrices between backward and update. */
public enum GradientStorage {
  /** In bf16 where a step writes each of them once, else in fp32. */
  AUTO,
  /** What any number of micro-steps may add to. */
  FP32,
  /** Half the memory and half the bytes between ranks; only where a step writes each once. */
  BF16
}
