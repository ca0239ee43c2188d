package dev.kindling.worker.plan;

/** What starts the ranks. */
public enum LauncherKind {
  SPARK,
  PROCESSES,
  THREADS
}
