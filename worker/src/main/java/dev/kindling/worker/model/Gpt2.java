package dev.kindling.worker.model;

import dev.kindling.kernels.graph.AttentionShape;
import dev.kindling.kernels.graph.Expectation;
import dev.kindling.kernels.graph.GraphBuilder;
import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.op.WeightLayout;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * GPT-2: pre-norm blocks with LayerNorm, learned positions, full attention and a GELU MLP, biases
 * everywhere.
 *
 * <p>After Radford et al. 2019; names, packed query-key-value weight and [in, out] layout as {@code
 * GPT2LMHeadModel} of transformers, without dropout. The projections that write to the residual
 * stream start smaller by {@code sqrt(2 layers)} (section 2.3 there).
 *
 * @param width model width D
 * @param layers number of blocks
 * @param heads heads H, a divisor of D
 * @param mlpWidth MLP width F; default 4 D
 * @param vocabulary rows of the embedding table; default the tokenizer's
 * @param context longest sequence in tokens, rows of the position table
 * @param tieEmbeddings whether the head is the embedding table
 * @param initStd standard deviation of the initial matrices
 * @param normEps epsilon inside the root of LayerNorm
 */
public record Gpt2(
    int width,
    int layers,
    int heads,
    Optional<Integer> mlpWidth,
    Optional<Integer> vocabulary,
    int context,
    boolean tieEmbeddings,
    double initStd,
    double normEps)
    implements ModelFamily {

  public Gpt2 {
    Expectation e = new Expectation();
    e.atLeast("width", width, 1).atLeast("layers", layers, 1);
    e.atLeast("heads", heads, 1).atLeast("context", context, 1);
    e.positive("init_std", initStd).positive("norm_eps", normEps);
    e.atLeast("mlp_width", mlpWidth.orElse(1), 1);
    e.atLeast("vocabulary", vocabulary.orElse(1), 1);
    e.orThrow();
    e.that(width % heads == 0, "heads", "a divisor of width " + width, heads).orThrow();
  }

  public static Map<String, Object> defaults() {
    return Map.of("context", 1024, "tieEmbeddings", true, "initStd", 0.02, "normEps", 1e-5);
  }

  static Gpt2 of(HuggingFaceConfig config) {
    config.require("activation_function", "gelu_new");
    config.require("scale_attn_weights", true);
    config.require("scale_attn_by_inverse_layer_idx", false);
    return new Gpt2(
        config.size("n_embd"),
        config.size("n_layer"),
        config.size("n_head"),
        config.optionalSize("n_inner"),
        Optional.of(config.size("vocab_size")),
        config.size("n_positions"),
        config.flag("tie_word_embeddings", true),
        config.number("initializer_range", 0.02),
        config.number("layer_norm_epsilon", 1e-5));
  }

  @Override
  public Gpt2 withVocabulary(int tokenizerVocabulary) {
    Optional<Integer> rows = Optional.of(Vocabulary.rows(vocabulary, tokenizerVocabulary));
    return new Gpt2(width, layers, heads, mlpWidth, rows, context, tieEmbeddings, initStd, normEps);
  }

  @Override
  public Value logits(GraphBuilder b, ModelInputs in, Projection projection) {
    Vocabulary.checkSequence(in.sequence(), context);
    int rows = Vocabulary.known(vocabulary);
    Param tokens = Parameters.table("transformer.wte.weight", rows, width, initStd);
    Param places = Parameters.table("transformer.wpe.weight", context, width, initStd);
    Value x =
        b.add(
            b.embedding(projection.read(b, tokens), in.tokens()),
            b.embedding(projection.read(b, places), in.positions()));
    for (int layer = 0; layer < layers; layer++) {
      String name = "transformer.h." + layer;
      Value normed = norm(b, projection, name + ".ln_1", x);
      x = b.add(x, attention(b, projection, name + ".attn", normed, in));
      normed = norm(b, projection, name + ".ln_2", x);
      x = b.add(x, mlp(b, projection, name + ".mlp", normed));
    }
    x = in.wanted(b, norm(b, projection, "transformer.ln_f", x));
    return tieEmbeddings
        ? b.linear(x, projection.read(b, tokens))
        : projection.project(
            b, new Weight(Weight.HEAD, width, rows, WeightLayout.OUT_IN, false, initStd), x);
  }

  private Value attention(
      GraphBuilder b, Projection projection, String name, Value x, ModelInputs in) {
    AttentionShape shape = new AttentionShape(heads, heads, width / heads, in.sequence());
    Value packed = projection.project(b, conv(name + ".c_attn", width, 3 * width, initStd), x);
    List<Value> qkv = b.splitColumns(packed, width, width, width);
    Value mixed = in.attend(b, name, qkv.get(0), qkv.get(1), qkv.get(2), shape);
    return projection.project(b, conv(name + ".c_proj", width, width, residualStd()), mixed);
  }

  private Value mlp(GraphBuilder b, Projection projection, String name, Value x) {
    Value hidden = projection.project(b, conv(name + ".c_fc", width, hiddenWidth(), initStd), x);
    return projection.project(
        b, conv(name + ".c_proj", hiddenWidth(), width, residualStd()), b.gelu(hidden));
  }

  private Value norm(GraphBuilder b, Projection projection, String name, Value x) {
    Value gain = projection.read(b, Parameters.gain(name + ".weight", width));
    Value bias = projection.read(b, Parameters.bias(name + ".bias", width));
    return b.layerNorm(x, gain, bias, (float) normEps);
  }

  private static Weight conv(String name, int in, int out, double std) {
    return new Weight(name, in, out, WeightLayout.IN_OUT, true, std);
  }

  private double residualStd() {
    return initStd / Math.sqrt(2.0 * layers);
  }

  /** MLP width F. */
  public int hiddenWidth() {
    return mlpWidth.orElse(4 * width);
  }

  @Override
  public String huggingFaceConfig() {
    return new ConfigText()
        .architecture("GPT2LMHeadModel")
        .put("model_type", "gpt2")
        .put("vocab_size", Vocabulary.known(vocabulary))
        .put("n_embd", width)
        .put("n_layer", layers)
        .put("n_head", heads)
        .put("n_inner", hiddenWidth())
        .put("n_positions", context)
        .put("activation_function", "gelu_new")
        .put("initializer_range", initStd)
        .put("layer_norm_epsilon", normEps)
        .put("attn_pdrop", 0.0)
        .put("embd_pdrop", 0.0)
        .put("resid_pdrop", 0.0)
        .put("tie_word_embeddings", tieEmbeddings)
        .put("torch_dtype", "float32")
        .absent("bos_token_id")
        .absent("eos_token_id")
        .text();
  }
}
