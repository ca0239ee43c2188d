package dev.kindling.worker.prune;

/** What tells a weight that may go from one that stays: the smaller number goes. */
public enum Criterion {
  /** |W|, compared over the whole matrix. */
  MAGNITUDE,
  /** |W| times the L2 norm of the input feature over calibration texts, compared within a row. */
  WANDA,
  /** A random number of seed, name and place. */
  RANDOM
}
