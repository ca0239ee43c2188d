package dev.kindling.worker.peft;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kindling.kernels.graph.PlanException;
import dev.kindling.worker.adapt.Adapter;
import dev.kindling.worker.adapt.Frozen;
import dev.kindling.worker.adapt.Lora;
import dev.kindling.worker.model.FirstValues;
import dev.kindling.worker.model.Llama;
import dev.kindling.worker.model.ModelFamily;
import dev.kindling.worker.store.Json;
import dev.kindling.worker.store.JsonReader;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class PeftExportTest {
  private static final ModelFamily MODEL =
      new Llama(
          32,
          2,
          2,
          Optional.empty(),
          Optional.empty(),
          Optional.of(48),
          Optional.of(64),
          16,
          true,
          0.02,
          10000,
          Optional.empty(),
          1e-5);

  private static final FirstValues ZEROS =
      (param, from, target) -> {
        for (long i = 0; i < target.bytes() / Float.BYTES; i++) {
          target.putFloat(i, 0f);
        }
      };

  @TempDir Path folder;

  private Path write(Adapter adapter) {
    Path target = folder.resolve("adapter");
    PeftExport.write(adapter, adapter.projection(MODEL, 1), MODEL, ZEROS, "base", target);
    return target;
  }

  private List<String> targets(String... patterns) throws IOException {
    Lora lora =
        new Lora(
            2,
            4,
            false,
            0,
            List.of(patterns),
            List.of(),
            Map.of(),
            Map.of(),
            List.of(),
            Optional.empty());
    byte[] config = Files.readAllBytes(write(lora).resolve("adapter_config.json"));
    Json.Obj written = JsonReader.read(config, "adapter_config.json").asObject("the text");
    return written.texts("target_modules");
  }

  @Test
  void mapsOfAllLayersAreNamedByTheirLastWord() throws IOException {
    assertThat(targets("q_proj", "up_proj")).containsExactly("q_proj", "up_proj");
  }

  /** The last word alone would give peft an adapter in every layer. */
  @Test
  void mapsOfSomeLayersAreNamedByTheirPaths() throws IOException {
    assertThat(targets("layers.1.self_attn.q_proj", "down_proj"))
        .containsExactlyInAnyOrder(
            "model.layers.0.mlp.down_proj",
            "model.layers.1.mlp.down_proj",
            "model.layers.1.self_attn.q_proj");
  }

  @Test
  void anAdapterWithoutFactorsIsRefused() {
    assertThatThrownBy(() -> write(new Frozen(List.of("norm"))))
        .isInstanceOf(PlanException.class)
        .hasMessageContaining("expected lora, dora or paca for a PEFT directory, found frozen");
  }
}
