package dev.kindling.kernels.graph;

/**
 * Extents of an attention block.
 *
 * @param heads query heads H
 * @param kvHeads key and value heads K; H is a multiple of K
 * @param headDim width C of one head
 * @param sequence tokens per sequence; T is a multiple of it
 */
public record AttentionShape(int heads, int kvHeads, int headDim, int sequence) {
  public AttentionShape {
    if (heads < 1 || kvHeads < 1 || headDim < 1 || sequence < 1 || heads % kvHeads != 0) {
      throw new PlanException(
          "attention: expected positive extents and heads a multiple of kvHeads, found heads="
              + heads
              + " kvHeads="
              + kvHeads
              + " headDim="
              + headDim
              + " sequence="
              + sequence);
    }
  }
}
