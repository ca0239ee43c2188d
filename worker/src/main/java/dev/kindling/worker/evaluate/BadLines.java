package dev.kindling.worker.evaluate;

/** What becomes of a file one of whose lines is not what it should be. */
public enum BadLines {
  /** The first one ends the evaluation. */
  FAIL,
  /** Each is named, counted and left out. */
  SKIP
}
