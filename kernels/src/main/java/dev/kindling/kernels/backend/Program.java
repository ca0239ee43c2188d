package dev.kindling.kernels.backend;

import dev.kindling.kernels.graph.Graph;

/**
 * A compiled graph bound to its memory. Running allocates nothing and overwrites the last outputs.
 */
public interface Program extends AutoCloseable {
  /** Runs every node once, in order; returns when all results are in memory. */
  void run();

  Graph graph();

  /** Bytes of the arena of values that live inside one run. */
  long activationBytes();

  @Override
  void close();
}
