package dev.kindling.worker.plan;

/** Where the gradients of a step are, and how long. */
public enum GradientLife {
  /** In fp32 variables, which any number of backward passes add to. */
  SUMS,
  /** As above; narrow on a device where one backward pass completes them. */
  NARROW_SUMS,
  /** In memory of activations, each from the product that makes it until the parameter's update. */
  PASSING
}
