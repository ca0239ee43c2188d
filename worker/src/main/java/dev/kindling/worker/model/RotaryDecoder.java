package dev.kindling.worker.model;

import dev.kindling.kernels.graph.AttentionShape;
import dev.kindling.kernels.graph.Expectation;
import dev.kindling.kernels.graph.GraphBuilder;
import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.graph.RopeFrequencies;
import dev.kindling.kernels.graph.RopeScaling;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.op.WeightLayout;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * The sentence that Llama, Mistral, Qwen2 and Qwen3 share: pre-norm blocks with RMSNorm, rotary
 * positions, grouped-query attention and SwiGLU. A family says in which of {@link #window}, {@link
 * #biases} and {@link #headNorms} it differs; each of them adds to the sentence and changes nothing
 * for who does not ask for it.
 */
sealed interface RotaryDecoder extends ModelFamily permits Llama, Mistral, Qwen2, Qwen3 {

  Optional<Integer> kvHeads();

  Optional<Integer> headDim();

  Optional<Integer> mlpWidth();

  boolean tieEmbeddings();

  double initStd();

  double ropeTheta();

  Optional<RopeScaling> ropeScaling();

  double normEps();

  /** Keys that a query sees at most, itself the last of them; 0: all before it. */
  default int window() {
    return 0;
  }

  /** Whether query, key and value have biases. */
  default boolean biases() {
    return false;
  }

  /** Whether each query and key head is normalised before it is rotated. */
  default boolean headNorms() {
    return false;
  }

  /** Key and value heads K. */
  default int keyHeads() {
    return kvHeads().orElse(heads());
  }

  /** Head width C. */
  default int headWidth() {
    return headDim().orElse(width() / heads());
  }

  /** MLP width F. */
  default int hiddenWidth() {
    return mlpWidth().orElse(roundUp(8L * width(), 3 * 64) * 64);
  }

  private static int roundUp(long numerator, int denominator) {
    return Math.toIntExact((numerator + denominator - 1) / denominator);
  }

  static Map<String, Object> defaults(double normEps) {
    return Map.of(
        "context",
        1024,
        "tieEmbeddings",
        true,
        "initStd",
        0.02,
        "ropeTheta",
        10000.0,
        "normEps",
        normEps);
  }

  static void checkSizes(Expectation e, int width, int layers, int heads, int context) {
    e.atLeast("width", width, 1).atLeast("layers", layers, 1);
    e.atLeast("heads", heads, 1).atLeast("context", context, 1);
  }

  static void checkNumbers(Expectation e, double initStd, double ropeTheta, double normEps) {
    e.positive("init_std", initStd).positive("rope_theta", ropeTheta);
    e.positive("norm_eps", normEps);
  }

  static void checkOptionalSizes(
      Expectation e,
      Optional<Integer> kvHeads,
      Optional<Integer> headDim,
      Optional<Integer> mlpWidth,
      Optional<Integer> vocabulary) {
    e.atLeast("kv_heads", kvHeads.orElse(1), 1).atLeast("head_dim", headDim.orElse(1), 1);
    e.atLeast("mlp_width", mlpWidth.orElse(1), 1);
    e.atLeast("vocabulary", vocabulary.orElse(1), 1);
  }

  /** Of sizes that are positive. */
  static void checkHeads(
      Expectation e, int width, int heads, Optional<Integer> kvHeads, Optional<Integer> headDim) {
    e.that(
        headDim.isPresent() || width % heads == 0,
        "heads",
        "a divisor of width " + width + " (or a head_dim)",
        heads);
    int keys = kvHeads.orElse(heads);
    e.that(heads % keys == 0, "kv_heads", "a divisor of heads " + heads, keys);
    int headWidth = headDim.orElse(width / heads);
    e.that(headWidth % 2 == 0, "head_dim", "an even number (rotary halves)", headWidth);
  }

  @Override
  default Value logits(GraphBuilder b, ModelInputs in, Projection projection) {
    Vocabulary.checkSequence(in.sequence(), context());
    int rows = Vocabulary.known(vocabulary());
    Param table = Parameters.table("model.embed_tokens.weight", rows, width(), initStd());
    Value x = b.embedding(projection.read(b, table), in.tokens());
    for (int layer = 0; layer < layers(); layer++) {
      String name = "model.layers." + layer;
      Value normed = norm(b, projection, name + ".input_layernorm", x, width());
      x = b.add(x, attention(b, projection, name + ".self_attn", normed, in));
      normed = norm(b, projection, name + ".post_attention_layernorm", x, width());
      x = b.add(x, mlp(b, projection, name + ".mlp", normed));
    }
    x = in.wanted(b, norm(b, projection, "model.norm", x, width()));
    return tieEmbeddings()
        ? b.linear(x, projection.read(b, table))
        : projection.project(b, weight(Weight.HEAD, x, rows, false), x);
  }

  private Value attention(
      GraphBuilder b, Projection projection, String name, Value x, ModelInputs in) {
    int keys = keyHeads() * headWidth();
    Weight ofQ = weight(name + ".q_proj", x, heads() * headWidth(), biases());
    Weight ofK = weight(name + ".k_proj", x, keys, biases());
    Weight ofV = weight(name + ".v_proj", x, keys, biases());
    List<Value> projected = projection.project(b, List.of(ofQ, ofK, ofV), x);
    Value q = projected.get(0);
    Value k = projected.get(1);
    Value v = projected.get(2);
    if (headNorms()) {
      q = norm(b, projection, name + ".q_norm", q, headWidth());
      k = norm(b, projection, name + ".k_norm", k, headWidth());
    }
    RopeFrequencies frequencies = new RopeFrequencies(ropeTheta(), ropeScaling());
    q = b.rope(q, in.positions(), headWidth(), frequencies);
    k = b.rope(k, in.positions(), headWidth(), frequencies);
    AttentionShape shape =
        new AttentionShape(heads(), keyHeads(), headWidth(), in.sequence(), window());
    Value mixed = in.attend(b, name, q, k, v, shape);
    return projection.project(b, weight(name + ".o_proj", mixed, width(), false), mixed);
  }

  private Value mlp(GraphBuilder b, Projection projection, String name, Value x) {
    Value gate = projection.project(b, weight(name + ".gate_proj", x, hiddenWidth(), false), x);
    Value up = projection.project(b, weight(name + ".up_proj", x, hiddenWidth(), false), x);
    Value mixed = b.swiGlu(gate, up);
    return projection.project(b, weight(name + ".down_proj", mixed, width(), false), mixed);
  }

  /** Over the columns of x, or over each run of {@code width} of them. */
  private Value norm(GraphBuilder b, Projection projection, String name, Value x, int width) {
    Value gain = projection.read(b, Parameters.gain(name + ".weight", width));
    return b.rmsNorm(x, gain, (float) normEps());
  }

  private Weight weight(String name, Value x, int out, boolean bias) {
    int in = x.type().shape().dim(1);
    return new Weight(name, in, out, WeightLayout.OUT_IN, bias, initStd());
  }

  /** What the config.json of all of these families holds. */
  default ConfigText config(String architecture, String modelType) {
    return new ConfigText()
        .architecture(architecture)
        .put("model_type", modelType)
        .put("vocab_size", Vocabulary.known(vocabulary()))
        .put("hidden_size", width())
        .put("intermediate_size", hiddenWidth())
        .put("num_hidden_layers", layers())
        .put("num_attention_heads", heads())
        .put("num_key_value_heads", keyHeads())
        .put("head_dim", headWidth())
        .put("hidden_act", "silu")
        .put("max_position_embeddings", context())
        .put("initializer_range", initStd())
        .put("rms_norm_eps", normEps())
        .put("rope_theta", ropeTheta())
        .ropeScaling(ropeScaling())
        .put("tie_word_embeddings", tieEmbeddings())
        .put("torch_dtype", "float32")
        .absent("bos_token_id")
        .absent("eos_token_id");
  }

  /** A window of all layers, or of none, as the two Qwen families say it. */
  static ConfigText putLayerWindows(ConfigText config, Optional<Integer> window) {
    config.put("use_sliding_window", window.isPresent());
    window.ifPresent(size -> config.put("max_window_layers", 0));
    return config.put("sliding_window", window);
  }
}
