package dev.kindling.benchmarks;

/** Whom a benchmark kills with SIGKILL. */
enum KillTarget {
  /** A worker process other than the one that was started first. */
  WORKER,
  /** The worker process that was started first. */
  RANK_ZERO,
  /** The process of the command itself. */
  DRIVER
}
