package dev.kindling.worker.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kindling.kernels.graph.GraphBuilder;
import dev.kindling.kernels.graph.Normal;
import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.graph.PlanException;
import dev.kindling.kernels.graph.RopeScaling;
import dev.kindling.kernels.graph.Shape;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.op.Attention;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class ModelFamilyTest {
  private static final Gpt2 GPT2_SMALL =
      new Gpt2(768, 12, 12, Optional.empty(), Optional.of(50257), 1024, true, 0.02, 1e-5);

  static Llama llama(int width, int layers, int heads, int kvHeads, int mlp, boolean tied) {
    return new Llama(
        width,
        layers,
        heads,
        Optional.of(kvHeads),
        Optional.empty(),
        Optional.of(mlp),
        Optional.of(32000),
        2048,
        tied,
        0.02,
        10000.0,
        1e-5);
  }

  private static Map<String, Param> byName(ModelFamily family) {
    Map<String, Param> params = new HashMap<>();
    family.parameters().forEach(p -> params.put(p.name(), p));
    return params;
  }

  @Test
  void gpt2SmallHasTheParametersOfTheReleasedModel() {
    assertThat(GPT2_SMALL.parameterCount()).isEqualTo(124_439_808L);
    Map<String, Param> params = byName(GPT2_SMALL);
    assertThat(params).hasSize(4 + 12 * 12).doesNotContainKey("lm_head.weight");
    assertThat(params.get("transformer.wpe.weight").shape()).isEqualTo(Shape.of(1024, 768));
    assertThat(params.get("transformer.h.11.attn.c_attn.weight").shape())
        .isEqualTo(Shape.of(768, 2304));
    assertThat(params.get("transformer.h.0.mlp.c_proj.weight").shape())
        .isEqualTo(Shape.of(3072, 768));
    assertThat(params.get("transformer.ln_f.bias").shape()).isEqualTo(Shape.of(768));
  }

  @Test
  void llama7bHasTheParametersOfTheReleasedModel() {
    assertThat(llama(4096, 32, 32, 32, 11008, false).parameterCount()).isEqualTo(6_738_415_616L);
  }

  @Test
  void tinyLlamaWithGroupedQueriesHasTheParametersOfTheReleasedModel() {
    assertThat(llama(2048, 22, 32, 4, 5632, false).parameterCount()).isEqualTo(1_100_048_384L);
  }

  /** As published; all three share the heads and widths that their config.json says. */
  @Test
  void mistralAndQwenHaveTheParametersOfTheReleasedModels() {
    Optional<Integer> none = Optional.empty();
    Optional<RopeScaling> plain = Optional.empty();
    Optional<Integer> rows = Optional.of(151936);
    Optional<Integer> window = Optional.of(4096);
    Mistral mistral =
        new Mistral(
            4096,
            32,
            32,
            Optional.of(8),
            none,
            Optional.of(14336),
            Optional.of(32000),
            32768,
            false,
            0.02,
            1e4,
            plain,
            1e-5,
            window);
    assertThat(mistral.parameterCount()).isEqualTo(7_241_732_096L);
    Qwen2 qwen2 =
        new Qwen2(
            896,
            24,
            14,
            Optional.of(2),
            none,
            Optional.of(4864),
            rows,
            32768,
            true,
            0.02,
            1e6,
            plain,
            1e-6,
            none);
    assertThat(qwen2.parameterCount()).isEqualTo(494_032_768L);
    Qwen3 qwen3 =
        new Qwen3(
            1024,
            28,
            16,
            Optional.of(8),
            Optional.of(128),
            Optional.of(3072),
            rows,
            40960,
            true,
            0.02,
            1e6,
            plain,
            1e-6,
            none);
    assertThat(qwen3.parameterCount()).isEqualTo(596_049_920L);
  }

  private static Qwen3 smallQwen3(Optional<Integer> window) {
    Optional<Integer> two = Optional.of(2);
    Optional<Integer> mlp = Optional.of(64);
    return new Qwen3(
        32, 1, 4, two, two, mlp, mlp, 64, true, 0.02, 1e4, Optional.empty(), 1e-6, window);
  }

  @Test
  void biasesAndHeadNormsBelongToTheFamiliesThatHaveThem() {
    Map<String, Param> qwen3 = byName(smallQwen3(Optional.empty()));
    assertThat(qwen3).hasSize(2 + 11);
    assertThat(qwen3.get("model.layers.0.self_attn.q_norm.weight").shape()).isEqualTo(Shape.of(2));
    assertThat(qwen3.get("model.layers.0.self_attn.k_norm.weight").decay()).isFalse();
    Optional<Integer> mlp = Optional.of(64);
    Optional<Integer> none = Optional.empty();
    Map<String, Param> qwen2 =
        byName(
            new Qwen2(
                32,
                1,
                4,
                Optional.of(2),
                none,
                mlp,
                mlp,
                64,
                true,
                0.02,
                1e4,
                Optional.empty(),
                1e-6,
                none));
    assertThat(qwen2).hasSize(2 + 12);
    assertThat(qwen2.get("model.layers.0.self_attn.k_proj.bias").shape()).isEqualTo(Shape.of(16));
    assertThat(qwen2).doesNotContainKey("model.layers.0.self_attn.o_proj.bias");
  }

  @Test
  void aWindowReachesTheAttentionOfEveryLayer() {
    GraphBuilder b = new GraphBuilder();
    Qwen3 family = smallQwen3(Optional.of(3));
    b.output("logits", family.logits(b, ModelInputs.declare(b, 16, 8, false), new Full()));
    assertThat(b.build().nodes())
        .filteredOn(node -> node.op() instanceof Attention)
        .extracting(node -> ((Attention) node.op()).shape().window())
        .containsExactly(3);
    assertThatThrownBy(() -> smallQwen3(Optional.of(0)))
        .hasMessage("sliding_window: expected 1 or more, found 0");
  }

  @Test
  void aTiedHeadSavesOneTable() {
    Llama tied = llama(256, 2, 4, 2, 512, true);
    Llama untied = llama(256, 2, 4, 2, 512, false);
    assertThat(untied.parameterCount() - tied.parameterCount()).isEqualTo(32000L * 256);
    assertThat(byName(untied).get("lm_head.weight").shape()).isEqualTo(Shape.of(32000, 256));
  }

  @Test
  void llamaWeightsAreOutByInUnderTheirHuggingFaceNames() {
    Map<String, Param> params = byName(llama(256, 2, 4, 2, 512, true));
    assertThat(params).hasSize(2 + 2 * 9);
    assertThat(params.get("model.layers.1.self_attn.k_proj.weight").shape())
        .isEqualTo(Shape.of(128, 256));
    assertThat(params.get("model.layers.0.mlp.gate_proj.weight").shape())
        .isEqualTo(Shape.of(512, 256));
    assertThat(params.get("model.layers.0.mlp.down_proj.weight").shape())
        .isEqualTo(Shape.of(256, 512));
  }

  @Test
  void exactlyTheMatricesDecay() {
    for (ModelFamily family : List.of(GPT2_SMALL, llama(256, 2, 4, 2, 512, false))) {
      for (Param p : family.parameters()) {
        assertThat(p.decay()).as(p.name()).isEqualTo(p.shape().rank() == 2);
      }
    }
  }

  @Test
  void gpt2ShrinksTheProjectionsThatWriteToTheResidualStream() {
    Map<String, Param> params = byName(GPT2_SMALL);
    assertThat(params.get("transformer.h.3.attn.c_attn.weight").init()).isEqualTo(new Normal(0.02));
    for (String name : List.of("attn.c_proj", "mlp.c_proj")) {
      assertThat(params.get("transformer.h.3." + name + ".weight").init())
          .isEqualTo(new Normal(0.02 / Math.sqrt(24)));
    }
  }

  @Test
  void logitsAreTokensByVocabulary() {
    for (ModelFamily family : List.of(GPT2_SMALL, llama(256, 2, 4, 2, 512, false))) {
      GraphBuilder b = new GraphBuilder();
      Value logits = family.logits(b, ModelInputs.declare(b, 24, 8, true), new Full());
      assertThat(logits.type().shape()).isEqualTo(Shape.of(24, family.vocabulary().orElseThrow()));
    }
  }

  @Test
  void absentSizesFollowFromTheWidth() {
    Optional<Integer> none = Optional.empty();
    Llama llama = new Llama(288, 6, 6, none, none, none, none, 256, true, 0.02, 10000.0, 1e-5);
    assertThat(llama.keyHeads()).isEqualTo(6);
    assertThat(llama.headWidth()).isEqualTo(48);
    assertThat(llama.hiddenWidth()).isEqualTo(768);
    assertThat(llama(4096, 1, 32, 32, 1, true).withVocabulary(7).vocabulary()).contains(32000);
    assertThat(
            new Llama(4096, 1, 32, none, none, none, none, 8, true, 0.02, 1e4, 1e-5).hiddenWidth())
        .isEqualTo(10944);
    assertThat(GPT2_SMALL.hiddenWidth()).isEqualTo(3072);
  }

  @Test
  void theVocabularyComesFromTheTokenizerUnlessALargerOneIsConfigured() {
    Optional<Integer> none = Optional.empty();
    Gpt2 open = new Gpt2(64, 1, 2, none, none, 32, true, 0.02, 1e-5);
    assertThat(open.withVocabulary(257).vocabulary()).contains(257);
    assertThat(GPT2_SMALL.withVocabulary(50000).vocabulary()).contains(50257);
    assertThatThrownBy(() -> GPT2_SMALL.withVocabulary(50258))
        .isInstanceOf(PlanException.class)
        .hasMessageContaining("at least the 50258 tokens")
        .hasMessageContaining("50257");
    assertThatThrownBy(open::parameters)
        .isInstanceOf(PlanException.class)
        .hasMessageContaining("model.vocabulary");
  }

  @Test
  void aSequenceLongerThanTheContextIsRefused() {
    GraphBuilder b = new GraphBuilder();
    ModelInputs in = ModelInputs.declare(b, 2048, 2048, false);
    assertThatThrownBy(() -> GPT2_SMALL.logits(b, in, new Full()))
        .isInstanceOf(PlanException.class)
        .hasMessageContaining("at most model.context 1024, found 2048");
  }

  @Test
  void wrongShapesAreReportedTogether() {
    Optional<Integer> none = Optional.empty();
    assertThatThrownBy(
            () ->
                new Llama(0, 2, 3, none, Optional.of(-1), none, none, 8, true, 0.0, 10000.0, 1e-5))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage(
            "width: expected 1 or more, found 0\n"
                + "init_std: expected a number above 0, found 0.0\n"
                + "head_dim: expected 1 or more, found -1");
    assertThatThrownBy(
            () ->
                new Llama(
                    30, 2, 4, Optional.of(3), Optional.of(5), none, none, 8, true, 0.02, 1e4, 1e-5))
        .hasMessage(
            "kv_heads: expected a divisor of heads 4, found 3\n"
                + "head_dim: expected an even number (rotary halves), found 5");
    assertThatThrownBy(() -> new Gpt2(30, 2, 4, none, none, 8, true, 0.02, 1e-5))
        .hasMessage("heads: expected a divisor of width 30, found 4");
  }

  @Test
  void defaultsArePinned() {
    assertThat(Llama.defaults())
        .isEqualTo(
            Map.of(
                "context",
                1024,
                "tieEmbeddings",
                true,
                "initStd",
                0.02,
                "ropeTheta",
                10000.0,
                "normEps",
                1e-5));
    Map<String, Object> qwen = new HashMap<>(Llama.defaults());
    qwen.put("normEps", 1e-6);
    assertThat(Mistral.defaults()).isEqualTo(Llama.defaults());
    assertThat(Qwen2.defaults()).isEqualTo(qwen);
    assertThat(Qwen3.defaults()).isEqualTo(qwen);
    assertThat(Gpt2.defaults())
        .isEqualTo(
            Map.of("context", 1024, "tieEmbeddings", true, "initStd", 0.02, "normEps", 1e-5));
  }
}
