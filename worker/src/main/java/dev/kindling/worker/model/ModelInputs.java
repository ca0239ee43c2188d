package dev.kindling.worker.model;

import dev.kindling.kernels.graph.DType;
import dev.kindling.kernels.graph.GraphBuilder;
import dev.kindling.kernels.graph.Shape;
import dev.kindling.kernels.graph.Value;
import org.jspecify.annotations.Nullable;

/**
 * What a model reads: T tokens laid out as T / sequence sequences of equal length.
 *
 * @param tokens token ids, I32 [T]
 * @param positions position of each token within its document or sequence, I32 [T]
 * @param segments document number of each token, I32 [T]; attention stays within equal numbers.
 *     Null: attention spans the whole sequence
 * @param sequence tokens per sequence
 */
public record ModelInputs(Value tokens, Value positions, @Nullable Value segments, int sequence) {

  /** Name of the input variable of the token ids. */
  public static final String TOKENS = "tokens";

  /** Name of the input variable of the positions. */
  public static final String POSITIONS = "positions";

  /** Name of the input variable of the document numbers. */
  public static final String SEGMENTS = "segments";

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
