package dev.kindling.worker.step;

import dev.kindling.kernels.graph.GraphBuilder;
import dev.kindling.kernels.graph.PlanException;
import dev.kindling.kernels.graph.rewrite.ChunkLoss;
import dev.kindling.kernels.graph.rewrite.Recompute;
import java.util.Locale;

/**
 * What a step does to need less memory.
 *
 * @param recompute what backward computes a second time instead of keeping it
 * @param lossChunks chunks of rows of head and loss, 1 = the whole at once
 * @param hostWeights whether matrices of layers lie in memory of the host; see {@link
 *     TrainStep#host}
 */
public record MemorySaving(Recompute.Level recompute, int lossChunks, boolean hostWeights) {
  /** Keeps everything that backward reads. */
  public static final MemorySaving NONE = new MemorySaving(Recompute.Level.NONE, 1);

  /** With all weights on the device. */
  public MemorySaving(Recompute.Level recompute, int lossChunks) {
    this(recompute, lossChunks, false);
  }

  public MemorySaving {
    if (lossChunks < 1) {
      throw new PlanException("loss_chunks: expected 1 or more, found " + lossChunks);
    }
  }

  /** Rewrites a graph with its gradients, or with a loss alone, before anything reads those. */
  void apply(GraphBuilder builder) {
    builder.rewrite(new ChunkLoss(lossChunks));
    builder.rewrite(new Recompute(recompute));
  }

  @Override
  public String toString() {
    return "recompute "
        + recompute.name().toLowerCase(Locale.ROOT)
        + ", "
        + lossChunks
        + (lossChunks == 1 ? " loss chunk" : " loss chunks")
        + (hostWeights ? ", weights of layers on the host" : "");
  }
}
