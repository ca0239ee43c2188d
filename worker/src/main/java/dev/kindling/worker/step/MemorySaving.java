package dev.kindling.worker.step;

import dev.kindling.kernels.graph.GraphBuilder;
import dev.kindling.kernels.graph.rewrite.Recompute;

/**
 * What a step does to need less memory.
 *
 * @param recompute what backward computes a second time instead of keeping it
 */
public record MemorySaving(Recompute.Level recompute) {
  public static final MemorySaving NONE = new MemorySaving(Recompute.Level.NONE);

  /** Rewrites a graph with its gradients, before anything reads those. */
  void apply(GraphBuilder builder) {
    builder.rewrite(new Recompute(recompute));
  }
}
