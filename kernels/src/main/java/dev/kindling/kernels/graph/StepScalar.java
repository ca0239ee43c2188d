package dev.kindling.kernels.graph;

/**
 * Index of each step-varying scalar in the step block: F32 [values().length], written by the host.
 */
public enum StepScalar {
  LEARNING_RATE,
  /** 1 - beta1^t. */
  BIAS_CORRECTION1,
  /** 1 - beta2^t. */
  BIAS_CORRECTION2,
  /** Largest allowed gradient norm; 0 or less switches clipping off. */
  CLIP_NORM,
  /** The step number t, from 1. */
  STEP
}
