package dev.kindling.optim.outer;

/** What the host of a replica tells the others of a round, in the order it travels. */
public enum RoundScalar {
  /** Sum of token losses, nats. */
  LOSS_SUM,
  /** Tokens that counted. */
  TOKENS,
  /** Whether this replica wishes to stop: 1 or 0. */
  STOP_VOTES
}
