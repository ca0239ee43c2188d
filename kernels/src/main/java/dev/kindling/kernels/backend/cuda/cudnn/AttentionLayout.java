package dev.kindling.kernels.backend.cuda.cudnn;

import java.util.Optional;

/**
 * Sizes and places of one causal attention in bf16: B sequences of T tokens, H query heads, K key
 * and value heads, C columns per head.
 *
 * <p>Each tensor is [B * T, heads * C] with its own row stride, in elements: a dense matrix, or
 * some columns of a packed one.
 */
public record AttentionLayout(
    int batch,
    int tokens,
    int heads,
    int kvHeads,
    int headDim,
    RowStrides forward,
    RowStrides backward) {

  /**
   * Row strides in elements.
   *
   * @param q of q, or of its gradient
   * @param k of k, or of its gradient
   * @param v of v, or of its gradient
   * @param o of the output, or of its gradient
   */
  public record RowStrides(long q, long k, long v, long o) {
    /** Every tensor a matrix of its own. */
    public static RowStrides dense(int heads, int kvHeads, int headDim) {
      long kv = (long) kvHeads * headDim;
      return new RowStrides((long) heads * headDim, kv, kv, (long) heads * headDim);
    }

    /** q, k and v side by side in one matrix; o a matrix of its own. */
    public static RowStrides packed(int heads, int kvHeads, int headDim) {
      long row = (heads + 2L * kvHeads) * headDim;
      return new RowStrides(row, row, row, (long) heads * headDim);
    }
  }

  /** Columns that the fastest fused kernels cover on every GPU since Ampere. */
  static final int MAX_HEAD_DIM = 128;

  /** Elements per 16 bytes: what a fused kernel loads at once. */
  static final int VECTOR = 8;

  /**
   * Why cuDNN cannot compute this attention, or nothing: then the caller takes the kernels of this
   * project.
   *
   * @param segments whether tokens see only their own document
   */
  public Optional<String> refusal(boolean segments) {
    if (segments) {
      return Optional.of("document masks are not described to cuDNN");
    }
    if (batch < 1 || tokens < 2 || heads < 1 || kvHeads < 1) {
      return Optional.of("at least 1 sequence, 2 tokens, 1 head wanted, got " + sizes());
    }
    if (heads % kvHeads != 0) {
      return Optional.of("query heads must be a multiple of key heads, got " + sizes());
    }
    if (headDim < VECTOR || headDim % VECTOR != 0 || headDim > MAX_HEAD_DIM) {
      return Optional.of("head size must be a multiple of 8 up to 128, got " + sizes());
    }
    return refusal("", forward).or(() -> refusal("gradient of ", backward));
  }

  /** Whether {@link #refusal} finds nothing. */
  public boolean supports(boolean segments) {
    return refusal(segments).isEmpty();
  }

  private Optional<String> refusal(String prefix, RowStrides rows) {
    return refusal(prefix + "q", rows.q, heads)
        .or(() -> refusal(prefix + "k", rows.k, kvHeads))
        .or(() -> refusal(prefix + "v", rows.v, kvHeads))
        .or(() -> refusal(prefix + "o", rows.o, heads));
  }

  private Optional<String> refusal(String name, long rowStride, int itsHeads) {
    long columns = (long) itsHeads * headDim;
    if (rowStride < columns || rowStride % VECTOR != 0) {
      return Optional.of(
          "row stride of %s must be a multiple of 8 and at least %d, got %d"
              .formatted(name, columns, rowStride));
    }
    return Optional.empty();
  }

  /** The same attention over fewer sequences. */
  AttentionLayout withBatch(int sequences) {
    return new AttentionLayout(sequences, tokens, heads, kvHeads, headDim, forward, backward);
  }

  boolean grouped() {
    return heads != kvHeads;
  }

  /** {B, heads, T, C} as it lies in memory. */
  long[] dims(int itsHeads) {
    return new long[] {batch, itsHeads, tokens, headDim};
  }

  long[] strides(long rowStride) {
    return new long[] {tokens * rowStride, headDim, rowStride, 1};
  }

  /** {B, heads, C, T}: the same memory as {@link #dims}, last two axes exchanged. */
  long[] transposedDims(int itsHeads) {
    return new long[] {batch, itsHeads, headDim, tokens};
  }

  long[] transposedStrides(long rowStride) {
    return new long[] {tokens * rowStride, headDim, 1, rowStride};
  }

  /** {B, H, T, 1}: one number per query. */
  long[] rowDims() {
    return new long[] {batch, heads, tokens, 1};
  }

  /** {B, H, T, T}: one number per pair of query and key. */
  long[] pairDims() {
    return new long[] {batch, heads, tokens, tokens};
  }

  String sizes() {
    return "B %d, T %d, H %d, K %d, C %d".formatted(batch, tokens, heads, kvHeads, headDim);
  }
}
