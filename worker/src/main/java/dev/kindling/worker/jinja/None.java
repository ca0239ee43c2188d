package dev.kindling.worker.jinja;

/** Python's None. */
enum None {
  NONE
}
