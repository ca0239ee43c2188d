package dev.kindling.worker.data;

/** What becomes of an example that is longer than a sequence; both are counted and told. */
public enum TooLong {
  DROP,
  /** Keeps its first tokens; dropped all the same when no target that counts is among them. */
  CUT
}
