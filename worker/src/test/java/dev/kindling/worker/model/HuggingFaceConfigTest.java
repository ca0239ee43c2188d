package dev.kindling.worker.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kindling.kernels.graph.PlanException;
import dev.kindling.kernels.graph.RopeScaling;
import dev.kindling.worker.store.Json;
import dev.kindling.worker.store.JsonReader;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Against the config.json that transformers itself writes for the models of the fixtures. */
class HuggingFaceConfigTest {
  private static final Path FOLDER = Path.of("src/test/resources/dev/kindling/worker/model");

  private static ModelFamily read(String text) {
    byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
    return ModelFamily.ofHuggingFace(JsonReader.read(bytes, "config.json").asObject("config.json"));
  }

  private static String theirs(String name) throws IOException {
    return Files.readString(FOLDER.resolve(name + ".config.json"));
  }

  static List<String> names() {
    return ModelFixture.names();
  }

  @ParameterizedTest
  @MethodSource("names")
  void theConfigurationOfTransformersGivesTheFamilyOfTheFixture(String name) throws IOException {
    ModelFamily read = read(theirs(name));
    ModelFamily expected = ModelFixture.FAMILIES.get(name);
    assertThat(read).hasSameClassAs(expected);
    assertThat(read.parameters()).isEqualTo(expected.parameters());
    assertThat(read.context()).isEqualTo(expected.context());
    assertThat(read.heads()).isEqualTo(expected.heads());
    if (read instanceof RotaryDecoder found && expected instanceof RotaryDecoder decoder) {
      assertThat(found.ropeTheta()).isEqualTo(decoder.ropeTheta());
      assertThat(found.ropeScaling()).isEqualTo(decoder.ropeScaling());
      assertThat(found.normEps()).isEqualTo(decoder.normEps());
      assertThat(found.window()).isEqualTo(decoder.window());
    }
  }

  @ParameterizedTest
  @MethodSource("names")
  void whatWeWriteIsReadBackAndAgreesWithTransformers(String name) throws IOException {
    ModelFamily family = read(theirs(name));
    assertThat(read(family.huggingFaceConfig())).isEqualTo(family);
    Map<String, Json> ours = members(family.huggingFaceConfig());
    members(theirs(name))
        .forEach(
            (key, value) -> {
              Json own = ours.get(key);
              if (own != null && !key.equals("architectures") && !key.endsWith("_token_id")) {
                assertThat(number(own)).as(key).isEqualTo(number(value));
              }
            });
    assertThat(ours).containsKeys("architectures", "model_type", "vocab_size", "torch_dtype");
  }

  private static Map<String, Json> members(String text) {
    return JsonReader.read(text.getBytes(StandardCharsets.UTF_8), "config.json")
        .asObject("config.json")
        .members();
  }

  /** A comparable value: 1e-05 and 1.0E-5 are the same number. */
  private static Object number(Json json) {
    return json instanceof Json.Num num ? (Object) Double.valueOf(num.text()) : json.write();
  }

  @Test
  void aSettingThatChangesTheArithmeticIsRefused() throws IOException {
    String llama = theirs("llama-tied");
    assertThatThrownBy(() -> read(llama.replace("\"default\"", "\"yarn\"")))
        .isInstanceOf(PlanException.class)
        .hasMessage("config.json: rope_type: expected default, linear or llama3, found yarn");
    assertThatThrownBy(() -> read(llama.replace("\"rope_theta\"", "\"beta_fast\"")))
        .isInstanceOf(PlanException.class)
        .hasMessageStartingWith("config.json: rope_parameters: expected one of rope_type, ")
        .hasMessageEndingWith(", found beta_fast");
    assertThatThrownBy(() -> read(llama.replace("\"silu\"", "\"gelu\"")))
        .hasMessage("config.json: hidden_act: expected silu, found gelu");
    assertThatThrownBy(() -> read(llama.replace("\"mlp_bias\": false", "\"mlp_bias\": true")))
        .hasMessage("config.json: mlp_bias: expected false, found true");
    assertThatThrownBy(() -> read(llama.replace("\"llama\"", "\"mamba\"")))
        .hasMessage(
            "config.json: model_type: expected gpt2, llama, mistral, qwen2 or qwen3, found mamba");
    assertThatThrownBy(() -> read(llama.replace("\"hidden_size\"", "\"hidden\"")))
        .hasMessage("config.json: hidden_size: expected an integer, found none");
  }

  /** As published models of that family say it, in the spelling of transformers 4. */
  private static String published(String type, String more) {
    return """
        {"model_type": "%s", "hidden_size": 64, "num_hidden_layers": 3, "num_attention_heads": 4,
         "num_key_value_heads": 2, "intermediate_size": 96, "vocab_size": 97, "hidden_act": "silu",
         "max_position_embeddings": 256, "rms_norm_eps": 1e-6%s}"""
        .formatted(type, more);
  }

  private static RotaryDecoder decoder(String type, String more) {
    return (RotaryDecoder) read(published(type, more));
  }

  @Test
  void bothGenerationsOfStretchedFrequenciesAreRead() {
    String numbers =
        "\"factor\": 32.0, \"low_freq_factor\": 1.0, \"high_freq_factor\": 4.0,"
            + " \"original_max_position_embeddings\": 8192";
    RopeScaling llama3 = new RopeScaling.Llama3(32, 1, 4, 8192);
    String older =
        ", \"rope_theta\": 500000.0, \"rope_scaling\": {\"rope_type\": \"llama3\", "
            + numbers
            + "}";
    String newer =
        ", \"rope_parameters\": {\"rope_type\": \"llama3\", \"rope_theta\": 500000.0, "
            + numbers
            + "}";
    for (String more : List.of(older, newer)) {
      assertThat(decoder("llama", more).ropeScaling()).contains(llama3);
      assertThat(decoder("llama", more).ropeTheta()).isEqualTo(500000.0);
    }
    String oldest = ", \"rope_scaling\": {\"type\": \"linear\", \"factor\": 2.0}";
    assertThat(decoder("mistral", oldest).ropeScaling()).contains(new RopeScaling.Linear(2));
    assertThat(decoder("qwen2", ", \"rope_scaling\": null").ropeScaling()).isEmpty();
    assertThatThrownBy(() -> decoder("llama", oldest.replace("2.0", "-2.0")))
        .isInstanceOf(PlanException.class)
        .hasMessage("config.json: rope_scaling: factor: expected a number above 0, found -2.0");
    assertThatThrownBy(() -> decoder("llama", older.replace("\"factor\": 32.0, ", "")))
        .hasMessageContaining("factor");
  }

  @Test
  void anAbsentKeyMeansWhatTransformersAssumes() {
    assertThat(decoder("mistral", "").window()).isEqualTo(4096);
    assertThat(decoder("mistral", ", \"sliding_window\": null").window()).isZero();
    assertThat(decoder("qwen2", ", \"sliding_window\": 7").window()).isZero();
    assertThat(decoder("qwen3", "").headWidth()).isEqualTo(128);
    assertThat(decoder("qwen2", "").headWidth()).isEqualTo(16);
    String heads = "\"num_attention_heads\": 32";
    String absent = published("qwen2", "").replace("\"num_key_value_heads\": 2, ", "");
    assertThat(
            ((RotaryDecoder) read(absent.replace("\"num_attention_heads\": 4", heads))).keyHeads())
        .isEqualTo(32);
  }

  @Test
  void aWindowInSomeLayersAloneIsRefused() {
    String used = ", \"use_sliding_window\": true, \"sliding_window\": 7";
    for (String type : List.of("qwen2", "qwen3")) {
      assertThat(decoder(type, used + ", \"max_window_layers\": 0").window()).isEqualTo(7);
      assertThat(decoder(type, used + ", \"max_window_layers\": 3").window()).isZero();
      assertThat(decoder(type, used).window()).isZero();
      assertThatThrownBy(() -> decoder(type, used + ", \"max_window_layers\": 1"))
          .isInstanceOf(PlanException.class)
          .hasMessage(
              "config.json: max_window_layers: expected 0 or at least all 3 layers, found 1");
      String sliding = "\"sliding_attention\"";
      String full = "\"full_attention\"";
      String all = ", \"layer_types\": [" + sliding + ", " + sliding + ", " + sliding + "]";
      assertThat(decoder(type, used + all).window()).isEqualTo(7);
      assertThat(decoder(type, used + all.replace(sliding, full)).window()).isZero();
      assertThatThrownBy(() -> decoder(type, used + all.replaceFirst(sliding, full)))
          .hasMessage(
              "config.json: layer_types: expected full_attention or sliding_attention in all"
                  + " layers, found full_attention and sliding_attention");
      assertThatThrownBy(() -> decoder(type, all))
          .hasMessage(
              "config.json: layer_types: expected full_attention in all layers, found"
                  + " sliding_attention");
    }
  }

  @Test
  void windowsAndStretchedFrequenciesAreWrittenAndReadBack() {
    Optional<Integer> seven = Optional.of(7);
    Optional<RopeScaling> linear = Optional.of(new RopeScaling.Linear(4));
    Optional<RopeScaling> llama3 = Optional.of(new RopeScaling.Llama3(8, 1, 4, 64));
    Optional<Integer> two = Optional.of(2);
    Optional<Integer> heads = Optional.of(8);
    Optional<Integer> mlp = Optional.of(48);
    for (Optional<Integer> window : List.of(seven, Optional.<Integer>empty())) {
      for (Optional<RopeScaling> scaling : List.of(linear, llama3, Optional.<RopeScaling>empty())) {
        for (ModelFamily family :
            List.of(
                new Llama(32, 3, 4, two, heads, mlp, mlp, 64, true, 0.02, 1e4, scaling, 1e-5),
                new Mistral(
                    32, 3, 4, two, heads, mlp, mlp, 64, true, 0.02, 1e4, scaling, 1e-5, window),
                new Qwen2(
                    32, 3, 4, two, heads, mlp, mlp, 64, true, 0.02, 1e4, scaling, 1e-5, window),
                new Qwen3(
                    32, 3, 4, two, heads, mlp, mlp, 64, true, 0.02, 1e4, scaling, 1e-5, window))) {
          assertThat(read(family.huggingFaceConfig())).isEqualTo(family);
        }
      }
    }
  }
}
