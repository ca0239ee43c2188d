package dev.kindling.kernels.backend;

import dev.kindling.kernels.graph.Graph;

/**
 * A compiled graph bound to its memory. Running allocates nothing and overwrites the last outputs
 * of its slot.
 */
public interface Program extends AutoCloseable {
  /** Runs every node once, in order; returns when all results are in memory, outputs in slot 0. */
  void run();

  /**
   * Begins a run behind those that were submitted before; {@link Memory#await} tells when it has
   * ended. The slot must not be in flight, and its inputs stay as they are until then.
   */
  void submit(int slot);

  Graph graph();

  /** Bytes of the arena of values that live inside one run. */
  long activationBytes();

  @Override
  void close();
}
