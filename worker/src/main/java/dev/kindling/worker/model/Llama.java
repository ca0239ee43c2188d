package dev.kindling.worker.model;

import dev.kindling.kernels.graph.AttentionShape;
import dev.kindling.kernels.graph.Expectation;
import dev.kindling.kernels.graph.GraphBuilder;
import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.op.WeightLayout;
import java.util.Map;
import java.util.Optional;

/**
 * Llama: pre-norm blocks with RMSNorm, rotary positions, grouped-query attention and SwiGLU.
 *
 * <p>After Touvron et al. 2023 (2302.13971 and 2307.09288); names, weight layout and rotary halves
 * as {@code LlamaForCausalLM} of transformers.
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
    double normEps)
    implements ModelFamily {

  public Llama {
    Expectation e = new Expectation();
    e.atLeast("width", width, 1).atLeast("layers", layers, 1);
    e.atLeast("heads", heads, 1).atLeast("context", context, 1);
    e.positive("init_std", initStd).positive("rope_theta", ropeTheta);
    e.positive("norm_eps", normEps);
    e.atLeast("kv_heads", kvHeads.orElse(1), 1).atLeast("head_dim", headDim.orElse(1), 1);
    e.atLeast("mlp_width", mlpWidth.orElse(1), 1);
    e.atLeast("vocabulary", vocabulary.orElse(1), 1);
    e.orThrow();
    e.that(
        headDim.isPresent() || width % heads == 0,
        "heads",
        "a divisor of width " + width + " (or a head_dim)",
        heads);
    int keys = kvHeads.orElse(heads);
    e.that(heads % keys == 0, "kv_heads", "a divisor of heads " + heads, keys);
    int headWidth = headDim.orElse(width / heads);
    e.that(headWidth % 2 == 0, "head_dim", "an even number (rotary halves)", headWidth);
    e.orThrow();
  }

  public static Map<String, Object> defaults() {
    return Map.of(
        "context", 1024,
        "tieEmbeddings", true,
        "initStd", 0.02,
        "ropeTheta", 10000.0,
        "normEps", 1e-5);
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
        normEps);
  }

  @Override
  public Value logits(GraphBuilder b, ModelInputs in, Projection projection) {
    Vocabulary.checkSequence(in.sequence(), context);
    int rows = Vocabulary.known(vocabulary);
    Param table = Parameters.table("model.embed_tokens.weight", rows, width, initStd);
    Value x = b.embedding(projection.read(b, table), in.tokens());
    for (int layer = 0; layer < layers; layer++) {
      String name = "model.layers." + layer;
      Value normed = norm(b, projection, name + ".input_layernorm", x);
      x = b.add(x, attention(b, projection, name + ".self_attn", normed, in));
      normed = norm(b, projection, name + ".post_attention_layernorm", x);
      x = b.add(x, mlp(b, projection, name + ".mlp", normed));
    }
    x = norm(b, projection, "model.norm", x);
    return tieEmbeddings
        ? b.linear(x, projection.read(b, table))
        : project(b, projection, "lm_head", x, rows);
  }

  private Value attention(
      GraphBuilder b, Projection projection, String name, Value x, ModelInputs in) {
    AttentionShape shape = new AttentionShape(heads, keyHeads(), headWidth(), in.sequence());
    Value q = project(b, projection, name + ".q_proj", x, heads * headWidth());
    Value k = project(b, projection, name + ".k_proj", x, keyHeads() * headWidth());
    Value v = project(b, projection, name + ".v_proj", x, keyHeads() * headWidth());
    q = b.rope(q, in.positions(), headWidth(), ropeTheta);
    k = b.rope(k, in.positions(), headWidth(), ropeTheta);
    Value mixed = b.attention(q, k, v, in.segments(), shape);
    return project(b, projection, name + ".o_proj", mixed, width);
  }

  private Value mlp(GraphBuilder b, Projection projection, String name, Value x) {
    Value gate = project(b, projection, name + ".gate_proj", x, hiddenWidth());
    Value up = project(b, projection, name + ".up_proj", x, hiddenWidth());
    return project(b, projection, name + ".down_proj", b.swiGlu(gate, up), width);
  }

  private Value norm(GraphBuilder b, Projection projection, String name, Value x) {
    return b.rmsNorm(
        x, projection.read(b, Parameters.gain(name + ".weight", width)), (float) normEps);
  }

  private Value project(GraphBuilder b, Projection projection, String name, Value x, int out) {
    int in = x.type().shape().dim(1);
    return projection.project(b, new Weight(name, in, out, WeightLayout.OUT_IN, false, initStd), x);
  }

  /** Key and value heads K. */
  public int keyHeads() {
    return kvHeads.orElse(heads);
  }

  /** Head width C. */
  public int headWidth() {
    return headDim.orElse(width / heads);
  }

  /** MLP width F. */
  public int hiddenWidth() {
    return mlpWidth.orElse(roundUp(8L * width, 3 * 64) * 64);
  }

  private static int roundUp(long numerator, int denominator) {
    return Math.toIntExact((numerator + denominator - 1) / denominator);
  }

  @Override
  public String huggingFaceConfig() {
    return new ConfigText()
        .architecture("LlamaForCausalLM")
        .put("model_type", "llama")
        .put("vocab_size", Vocabulary.known(vocabulary))
        .put("hidden_size", width)
        .put("intermediate_size", hiddenWidth())
        .put("num_hidden_layers", layers)
        .put("num_attention_heads", heads)
        .put("num_key_value_heads", keyHeads())
        .put("head_dim", headWidth())
        .put("hidden_act", "silu")
        .put("max_position_embeddings", context)
        .put("initializer_range", initStd)
        .put("rms_norm_eps", normEps)
        .put("rope_theta", ropeTheta)
        .put("attention_bias", false)
        .put("mlp_bias", false)
        .put("tie_word_embeddings", tieEmbeddings)
        .put("torch_dtype", "float32")
        .absent("bos_token_id")
        .absent("eos_token_id")
        .text();
  }
}
