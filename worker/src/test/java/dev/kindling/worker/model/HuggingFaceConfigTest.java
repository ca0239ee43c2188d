package dev.kindling.worker.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kindling.kernels.graph.PlanException;
import dev.kindling.worker.store.Json;
import dev.kindling.worker.store.JsonReader;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

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

  @ParameterizedTest
  @ValueSource(strings = {"gpt2", "llama-tied", "llama-untied"})
  void theConfigurationOfTransformersGivesTheFamilyOfTheFixture(String name) throws IOException {
    ModelFamily read = read(theirs(name));
    ModelFamily expected = ModelFixtureTest.FAMILIES.get(name);
    assertThat(read.parameters()).isEqualTo(expected.parameters());
    assertThat(read.context()).isEqualTo(32);
    assertThat(read.heads()).isEqualTo(expected.heads());
    if (read instanceof Llama llama) {
      assertThat(llama.ropeTheta()).isEqualTo(name.equals("llama-untied") ? 500.0 : 10000.0);
      assertThat(llama.normEps()).isEqualTo(1e-5);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"gpt2", "llama-tied", "llama-untied"})
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
    assertThatThrownBy(() -> read(llama.replace("\"default\"", "\"llama3\"")))
        .isInstanceOf(PlanException.class)
        .hasMessage("config.json: rope_type: expected default, found llama3");
    assertThatThrownBy(() -> read(llama.replace("\"silu\"", "\"gelu\"")))
        .hasMessage("config.json: hidden_act: expected silu, found gelu");
    assertThatThrownBy(() -> read(llama.replace("\"mlp_bias\": false", "\"mlp_bias\": true")))
        .hasMessage("config.json: mlp_bias: expected false, found true");
    assertThatThrownBy(() -> read(llama.replace("\"llama\"", "\"mamba\"")))
        .hasMessage("config.json: model_type: expected gpt2 or llama, found mamba");
    assertThatThrownBy(() -> read(llama.replace("\"hidden_size\"", "\"hidden\"")))
        .hasMessage("config.json: hidden_size: expected an integer, found none");
  }
}
