package dev.kindling.worker.model;

import dev.kindling.kernels.graph.Expectation;
import dev.kindling.kernels.graph.RopeScaling;
import java.util.Map;
import java.util.Optional;

/**
 * Qwen2 and Qwen2.5: Llama's blocks with biases on query, key and value, and a window if wanted.
 *
 * <p>After Yang et al. 2024 (2407.10671), section 2.2; names and weight layout as {@code
 * Qwen2ForCausalLM} of transformers.
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
 * @param slidingWindow keys that a query sees at most, itself the last of them; default all before
 *     it
 */
public record Qwen2(
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
    double normEps,
    Optional<Integer> slidingWindow)
    implements RotaryDecoder {

  public Qwen2 {
    Expectation e = new Expectation();
    RotaryDecoder.checkSizes(e, width, layers, heads, context);
    RotaryDecoder.checkNumbers(e, initStd, ropeTheta, normEps);
    RotaryDecoder.checkOptionalSizes(e, kvHeads, headDim, mlpWidth, vocabulary);
    e.atLeast("sliding_window", slidingWindow.orElse(1), 1);
    e.orThrow();
    RotaryDecoder.checkHeads(e, width, heads, kvHeads, headDim);
    e.orThrow();
  }

  public static Map<String, Object> defaults() {
    return RotaryDecoder.defaults(1e-6);
  }

  static Qwen2 of(HuggingFaceConfig config) {
    config.require("hidden_act", "silu");
    return new Qwen2(
        config.size("hidden_size"),
        config.size("num_hidden_layers"),
        config.size("num_attention_heads"),
        config.optionalSize("num_key_value_heads", 32),
        config.optionalSize("head_dim"),
        Optional.of(config.size("intermediate_size")),
        Optional.of(config.size("vocab_size")),
        config.size("max_position_embeddings"),
        config.flag("tie_word_embeddings", false),
        config.number("initializer_range", 0.02),
        config.ropeTheta(),
        config.ropeScaling(),
        config.number("rms_norm_eps", 1e-6),
        config.slidingWindow(config.size("num_hidden_layers")));
  }

  @Override
  public Qwen2 withVocabulary(int tokenizerVocabulary) {
    Optional<Integer> rows = Optional.of(Vocabulary.rows(vocabulary, tokenizerVocabulary));
    return new Qwen2(
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
        normEps,
        slidingWindow);
  }

  @Override
  public int window() {
    return slidingWindow.orElse(0);
  }

  @Override
  public boolean biases() {
    return true;
  }

  @Override
  public String huggingFaceConfig() {
    ConfigText config = config("Qwen2ForCausalLM", "qwen2");
    return RotaryDecoder.putLayerWindows(config, slidingWindow).text();
  }
}
