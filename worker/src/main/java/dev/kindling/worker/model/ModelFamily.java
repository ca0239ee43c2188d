package dev.kindling.worker.model;

import dev.kindling.kernels.graph.GraphBuilder;
import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.graph.PlanException;
import dev.kindling.kernels.graph.Value;
import dev.kindling.worker.store.Json;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * A decoder-only transformer: its configuration, and the sentence that computes its logits.
 *
 * <p>A family is written once. Training, evaluation and generation build different programs from
 * the same sentence, and {@link #parameters} is what the sentence asks for, not a second list.
 */
public sealed interface ModelFamily extends ModelSpec permits Gpt2, RotaryDecoder {

  /** Model width D. */
  int width();

  /** Number of transformer blocks. */
  int layers();

  /** Number of query heads H. */
  int heads();

  /** Longest sequence in tokens. */
  int context();

  /** Rows of the embedding table V; empty until {@link ModelSpec#withVocabulary}. */
  Optional<Integer> vocabulary();

  @Override
  default Optional<ModelFamily> family() {
    return Optional.of(this);
  }

  @Override
  default ModelFamily absolute() {
    return this;
  }

  /**
   * Writes the forward pass.
   *
   * @param in token ids and positions of T tokens
   * @param projection how the parameters take part
   * @return logits, fp32 [T, V], or [R, V] of the R tokens that {@code in} wants them of
   * @throws PlanException without a vocabulary, or for a sequence longer than the context
   */
  Value logits(GraphBuilder b, ModelInputs in, Projection projection);

  /** The text of {@code config.json} with which transformers loads the weights. */
  String huggingFaceConfig();

  /**
   * The family that a config.json of transformers describes.
   *
   * @throws PlanException for another architecture, or a setting that changes the arithmetic and is
   *     not supported
   */
  static ModelFamily ofHuggingFace(Json.Obj config) {
    HuggingFaceConfig known = new HuggingFaceConfig(config);
    return switch (known.modelType()) {
      case "gpt2" -> Gpt2.of(known);
      case "llama" -> Llama.of(known);
      case "mistral" -> Mistral.of(known);
      case "qwen2" -> Qwen2.of(known);
      case "qwen3" -> Qwen3.of(known);
      default ->
          throw new PlanException(
              "config.json: model_type: expected gpt2, llama, mistral, qwen2 or qwen3, found "
                  + known.modelType());
    };
  }

  /** All parameters in the order of the sentence, as full training declares them. */
  default List<Param> parameters() {
    GraphBuilder b = new GraphBuilder();
    logits(b, ModelInputs.declare(b, 1, 1, false), new Full());
    return b.build().params();
  }

  /** All linear maps in the order of the sentence; a tied head is none. */
  default List<Weight> maps() {
    List<Weight> maps = new ArrayList<>();
    GraphBuilder b = new GraphBuilder();
    logits(b, ModelInputs.declare(b, 1, 1, false), new Walk(maps));
    return List.copyOf(maps);
  }

  /** Full training that notes the linear maps it is asked to apply. */
  record Walk(List<Weight> maps) implements Projection {
    private static final Projection FULL = new Full();

    @Override
    public Value project(GraphBuilder b, Weight weight, Value x) {
      maps.add(weight);
      return FULL.project(b, weight, x);
    }

    @Override
    public Value read(GraphBuilder b, Param p) {
      return FULL.read(b, p);
    }
  }

  /** Number of trained scalars; a tied head counts once. */
  default long parameterCount() {
    return parameters().stream().mapToLong(p -> p.shape().elements()).sum();
  }
}
