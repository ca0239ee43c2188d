package dev.kindling.worker.data;

/** What a line that cannot be used does: one ends the preparation, or all are counted and told. */
public enum BadLines {
  FAIL,
  SKIP
}
