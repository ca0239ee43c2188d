package dev.kindling.optim.outer;

/**
 * What a method with a delay of a round applies at its first boundary, when nothing has arrived.
 */
public enum FirstRound {
  /**
   * Waits for the mean of the round itself; the next boundary applies it again, as its stale one.
   */
  SYNC,
  /** Nothing: the first round reaches the weights one round later. */
  RESET
}
