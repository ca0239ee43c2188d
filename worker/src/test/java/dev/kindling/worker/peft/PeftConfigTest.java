package dev.kindling.worker.peft;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kindling.worker.checkpoint.CheckpointException;
import dev.kindling.worker.store.Json;
import dev.kindling.worker.store.JsonReader;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Objects;
import org.junit.jupiter.api.Test;

class PeftConfigTest {
  private static PeftConfig read(String member) {
    String text = "{\"peft_type\": \"LORA\", \"target_modules\": [\"q_proj\"], " + member + "}";
    return PeftConfig.of(text.getBytes(StandardCharsets.UTF_8), "adapter_config.json");
  }

  /** What is not used too: peft refuses some values that would mean the same. */
  @Test
  void whatIsWrittenOfAnAdapterOfPeftIsWhatPeftWrote() throws IOException {
    for (String name : List.of("gpt2-rslora", "llama-untied-dora", "qwen2-lora")) {
      byte[] theirs;
      try (InputStream in =
          PeftConfigTest.class.getResourceAsStream(name + "/adapter_config.json")) {
        theirs = Objects.requireNonNull(in).readAllBytes();
      }
      String text = PeftConfig.of(theirs, name).text();
      Json.Obj expected = JsonReader.read(theirs, name).asObject("peft's");
      Json.Obj written =
          JsonReader.read(text.getBytes(StandardCharsets.UTF_8), "ours").asObject("ours");
      assertThat(written.members()).hasSizeGreaterThan(25);
      for (String key : written.members().keySet()) {
        String found = written.get(key).write();
        if (key.equals("lora_dropout")) {
          assertThat(Double.parseDouble(found)).isEqualTo(0);
        } else {
          assertThat(found).as("%s of %s", key, name).isEqualTo(expected.get(key).write());
        }
      }
    }
  }

  /** On the base as it is the factors of pissa would be added to what they were taken out of. */
  @Test
  void factorsThatBelongToAChangedBaseAreRefused() {
    for (String word : List.of("true", "false", "null", "\"gaussian\"", "\"eva\"")) {
      assertThat(read("\"init_lora_weights\": " + word).targets()).containsExactly("q_proj");
    }
    for (String word : List.of("pissa", "pissa_niter_16", "olora", "loftq", "corda", "lora_ga")) {
      assertThatThrownBy(() -> read("\"init_lora_weights\": \"" + word + "\""))
          .isInstanceOf(CheckpointException.class)
          .hasMessageStartingWith("adapter_config.json: init_lora_weights: expected true or false")
          .hasMessageEndingWith("found \"" + word + "\"");
    }
  }

  @Test
  void whatIsLeftOutHasTheDefaultsOfPeft() {
    PeftConfig config = read("\"r\": 4");
    assertThat(config.rank()).isEqualTo(4);
    assertThat(config.alpha()).isEqualTo(8);
    assertThat(config.dropout()).isZero();
    assertThat(config.rslora()).isFalse();
    assertThat(config.dora()).isFalse();
  }
}
