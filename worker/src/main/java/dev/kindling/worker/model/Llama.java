package dev.kindling.worker.model;

import dev.kindling.kernels.graph.Expectation;
import dev.kindling.kernels.graph.RopeScaling;
import java.util.Map;
import java.util.Optional;

/**
 * Llama: pre-norm blocks with RMSNorm, rotary positions, grouped-query attention and SwiGLU.
 *
 * <p>After Touvron et al. 2023 (2302.13971 and 2307.09288) and, for the stretched frequencies of
 * 3.1 and 3.2, Grattafiori et al. 2024 (2407.21783); names, weight layout and rotary halves as
 * {@code LlamaForCausalLM} of transformers.
 *
 * @param width model width D
 * @param layers number of blocks
 * @param heads query heads H
 * @param kvHeads key and value heads K, a divisor of H; default H
 * @param headDim head width C, even; default D / H
 * @param mlpWidth MLP width F; default 8 D / 3 rounded up to a multiple of 64
 * @param vocabulary rows of the embedding table; default the tokenizer's
 * @param context longest sequence in tokens
 * @param tieEmbeddings whether the head is the embedding table
 * @param initStd standard deviation of all initial matrices
 * @param ropeTheta base of the rotary frequencies
 * @param ropeScaling how the rotary frequencies are stretched for a longer context; default not at
 *     all
 * @param normEps epsilon inside the root of RMSNorm
 */
public record Llama(
    int width,
    int layers,
    int heads,
    Optional<Integer> kvHeads,
    Optional<Integer> headDim,
    Optional<Integer> mlpWidth,
    Optional<Integer> vocabulary,
    int context,
    boolean tieEmbeddings,
    double initStd,
    double ropeTheta,
    Optional<RopeScaling> ropeScaling,
    double normEps)
    implements RotaryDecoder {

  public Llama {
    Expectation e = new Expectation();
    RotaryDecoder.checkSizes(e, width, layers, heads, context);
    RotaryDecoder.checkNumbers(e, initStd, ropeTheta, normEps);
    RotaryDecoder.checkOptionalSizes(e, kvHeads, headDim, mlpWidth, vocabulary);
    e.orThrow();
    RotaryDecoder.checkHeads(e, width, heads, kvHeads, headDim);
    e.orThrow();
  }

  /** With frequencies that nothing stretches. */
  public Llama(
      int width,
      int layers,
      int heads,
      Optional<Integer> kvHeads,
      Optional<Integer> headDim,
      Optional<Integer> mlpWidth,
      Optional<Integer> vocabulary,
      int context,
      boolean tieEmbeddings,
      double initStd,
      double ropeTheta,
      double normEps) {
    this(
        width,
        layers,
        heads,
        kvHeads,
        headDim,
        mlpWidth,
        vocabulary,
        context,
        tieEmbeddings,
        initStd,
        ropeTheta,
        Optional.empty(),
        normEps);
  }

  public static Map<String, Object> defaults() {
    return RotaryDecoder.defaults(1e-5);
  }

  static Llama of(HuggingFaceConfig config) {
    config.require("hidden_act", "silu");
    config.require("attention_bias", false);
    config.require("mlp_bias", false);
    return new Llama(
        config.size("hidden_size"),
        config.size("num_hidden_layers"),
        config.size("num_attention_heads"),
        config.optionalSize("num_key_value_heads"),
        config.optionalSize("head_dim"),
        Optional.of(config.size("intermediate_size")),
        Optional.of(config.size("vocab_size")),
        config.size("max_position_embeddings"),
        config.flag("tie_word_embeddings", false),
        config.number("initializer_range", 0.02),
        config.ropeTheta(),
        config.ropeScaling(),
        config.number("rms_norm_eps", 1e-6));
  }

  @Override
  public Llama withVocabulary(int tokenizerVocabulary) {
    Optional<Integer> rows = Optional.of(Vocabulary.rows(vocabulary, tokenizerVocabulary));
    return new Llama(
        width,
        layers,
        heads,
        kvHeads,
        headDim,
        mlpWidth,
        rows,
        context,
        tieEmbeddings,
        initStd,
        ropeTheta,
        ropeScaling,
        normEps);
  }

  @Override
  public String huggingFaceConfig() {
    return config("LlamaForCausalLM", "llama")
        .put("attention_bias", false)
        .put("mlp_bias", false)
        .text();
  }
}
