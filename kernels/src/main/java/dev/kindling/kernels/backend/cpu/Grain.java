package dev.kindling.kernels.backend.cpu;

/** Smallest piece of work that is worth waking a second thread for. */
final class Grain {
  /** Elements of a memory-bound loop: a few microseconds. */
  static final int ELEMENTS = 8192;

  private Grain() {}

  /** Rows of this width that make up one grain. */
  static int rows(int width) {
    return Math.max(1, ELEMENTS / width);
  }
}
