package dev.kindling.optim.outer;

/** Where the outer momentum is clipped, element by element. */
public enum Clip {
  /** The momentum that is kept, and so the step. */
  STORED,
  /** The step alone. */
  APPLIED
}
