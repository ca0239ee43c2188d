package dev.kindling.kernels.graph;

/**
 * Extents of an attention block.
 *
 * @param heads query heads H
 * @param kvHeads key and value heads K; H is a multiple of K
 * @param headDim width C of one head
 * @param sequence tokens per sequence; T is a multiple of it
 * @param window keys that a query sees at most, itself the last of them; 0: all before it
 */
public record AttentionShape(int heads, int kvHeads, int headDim, int sequence, int window) {
  public AttentionShape {
    if (heads < 1
        || kvHeads < 1
        || headDim < 1
        || sequence < 1
        || window < 0
        || heads % kvHeads != 0) {
      throw new PlanException(
          "attention: expected positive extents, heads a multiple of kvHeads and a window of 0 or"
              + " more, found heads="
              + heads
              + " kvHeads="
              + kvHeads
              + " headDim="
              + headDim
              + " sequence="
              + sequence
              + " window="
              + window);
    }
  }

  /** Without a window. */
  public AttentionShape(int heads, int kvHeads, int headDim, int sequence) {
    this(heads, kvHeads, headDim, sequence, 0);
  }

  /** Whether the window hides any key of a sequence. */
  public boolean hides() {
    return window > 0 && window < sequence;
  }

  /** First key that the query at {@code place} of its sequence sees. */
  public int firstKey(int place) {
    return hides() ? Math.max(0, place - window + 1) : 0;
  }

  /** Pairs of a query and a key that it sees, in one sequence that is one document. */
  public long pairs() {
    long span = hides() ? window : sequence;
    return span * (span + 1) / 2 + (sequence - span) * span;
  }
}
