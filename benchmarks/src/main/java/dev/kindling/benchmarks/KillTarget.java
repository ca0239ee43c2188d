package dev.kindling.benchmarks;

/** Whom a benchmark ends, and how. */
enum KillTarget {
  /** SIGKILL to a worker process that does not hold rank 0, if there is one. */
  WORKER,
  /** SIGKILL to the worker process that holds rank 0. */
  RANK_ZERO,
  /** SIGKILL to the process of the command itself. */
  DRIVER,
  /** SIGTERM to the command: it stops after a last checkpoint. */
  STOP;

  /** Whether the command has to be given again. */
  boolean endsCommand() {
    return this == DRIVER || this == STOP;
  }
}
