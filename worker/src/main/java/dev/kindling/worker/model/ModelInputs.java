package dev.kindling.worker.model;

import dev.kindling.kernels.graph.AttentionShape;
import dev.kindling.kernels.graph.DType;
import dev.kindling.kernels.graph.GraphBuilder;
import dev.kindling.kernels.graph.Shape;
import dev.kindling.kernels.graph.Value;
import org.jspecify.annotations.Nullable;

/**
 * What a model reads, and how its attention reaches the tokens before: T tokens laid out as T /
 * sequence sequences of equal length, or the newest token of each of T sequences in a cache.
 *
 * @param tokens token ids, I32 [T]
 * @param positions position of each token within its document or sequence, I32 [T]
 * @param segments document number of each token, I32 [T]; attention stays within equal numbers.
 *     Null: attention spans the whole sequence
 * @param sequence tokens per sequence; for newest tokens the rows that each sequence has in the
 *     cache
 * @param cache where keys and values of generation are kept; null in training
 * @param rows which of the T tokens logits are wanted of, I32 [R]. Null: of all
 */
public record ModelInputs(
    Value tokens,
    Value positions,
    @Nullable Value segments,
    int sequence,
    @Nullable KeyValueCache cache,
    @Nullable Value rows) {

  /** Name of the input variable of the token ids. */
  public static final String TOKENS = "tokens";

  /** Name of the input variable of the positions. */
  public static final String POSITIONS = "positions";

  /** Name of the input variable of the document numbers. */
  public static final String SEGMENTS = "segments";

  public ModelInputs(Value tokens, Value positions, @Nullable Value segments, int sequence) {
    this(tokens, positions, segments, sequence, null, null);
  }

  /**
   * Causal attention of a block, in the form that these inputs ask for. The only way in which a
   * family may let tokens see each other.
   *
   * @param block name of the attention block, different for each
   * @param q [T, H * C], k and v [T, K * C], positions already in them
   * @return [T, H * C]
   */
  public Value attend(
      GraphBuilder b, String block, Value q, Value k, Value v, AttentionShape shape) {
    return cache == null
        ? b.attention(q, k, v, segments, shape)
        : cache.attend(b, block, q, k, v, shape);
  }

  /**
   * What the head is to see. A head over all tokens of a long window costs more time and memory
   * than the blocks below it.
   *
   * @param x [T, D], its last norm included
   * @return [R, D], all of x where all logits are wanted
   */
  public Value wanted(GraphBuilder b, Value x) {
    return rows == null ? x : b.embedding(x, rows);
  }

  /** Declares the input variables of {@code tokens} tokens in sequences of {@code sequence}. */
  public static ModelInputs declare(
      GraphBuilder b, int tokens, int sequence, boolean maskDocuments) {
    Shape shape = Shape.of(tokens);
    Value ids = b.input(TOKENS, shape, DType.I32);
    Value positions = b.input(POSITIONS, shape, DType.I32);
    Value segments = maskDocuments ? b.input(SEGMENTS, shape, DType.I32) : null;
    return new ModelInputs(ids, positions, segments, sequence);
  }
}
