package dev.kindling.worker.plan;

/** Which runs give the same loss bits. */
public enum Determinism {
  /** Same configuration, number of ranks and machine kind, also after kills and resumes. */
  REPLAY,
  /** Any number of ranks: fixed logical shards, ordered tree sums, one matrix thread per rank. */
  EXACT
}
