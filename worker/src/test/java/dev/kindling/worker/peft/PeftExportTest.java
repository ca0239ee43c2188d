package dev.kindling.worker.peft;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kindling.kernels.graph.PlanException;
import dev.kindling.worker.adapt.Adapter;
import dev.kindling.worker.adapt.Dora;
import dev.kindling.worker.adapt.Frozen;
import dev.kindling.worker.adapt.Lora;
import dev.kindling.worker.checkpoint.SafetensorsFile;
import dev.kindling.worker.checkpoint.TensorEntry;
import dev.kindling.worker.model.FirstValues;
import dev.kindling.worker.model.Llama;
import dev.kindling.worker.model.ModelFamily;
import dev.kindling.worker.store.Json;
import dev.kindling.worker.store.JsonReader;
import dev.kindling.worker.store.LocalStorage;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

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

  private void copy(String from, Path to) throws IOException {
    try (InputStream content = PeftExportTest.class.getResourceAsStream(from)) {
      Files.copy(Objects.requireNonNull(content, from), to);
    }
  }

  private static Json.Obj config(Path folder) throws IOException {
    byte[] text = Files.readAllBytes(folder.resolve("adapter_config.json"));
    return JsonReader.read(text, "adapter_config.json").asObject("the text");
  }

  private static byte[] bytes(SafetensorsFile file, TensorEntry entry) {
    ByteBuffer bytes = ByteBuffer.allocateDirect((int) entry.bytes());
    file.readBytes(entry, 0, bytes);
    byte[] copy = new byte[bytes.capacity()];
    bytes.get(0, copy);
    return copy;
  }

  /** What peft wrote, read and written again: its keys, shapes and types, and every byte. */
  @ParameterizedTest
  @CsvSource({
    "gpt2,lora",
    "gpt2,dora",
    "gpt2,patterns",
    "llama-untied,rslora",
    "llama-untied,dora",
    "llama-untied,patterns",
    "qwen2,lora",
    "qwen2,patterns"
  })
  void aDirectoryOfPeftIsWrittenAgainWithTheSameKeysAndBytes(String name, String variant)
      throws IOException {
    Path source = Files.createDirectories(folder.resolve("peft"));
    for (String file : List.of("adapter_config.json", "adapter_model.safetensors")) {
      copy(name + "-" + variant + "/" + file, source.resolve(file));
    }
    copy("/dev/kindling/worker/model/" + name + ".config.json", folder.resolve("config.json"));
    byte[] text = Files.readAllBytes(folder.resolve("config.json"));
    ModelFamily model =
        ModelFamily.ofHuggingFace(JsonReader.read(text, "config.json").asObject("the text"));
    Lora beginning = beginning(source);
    Adapter adapter =
        PeftDirectory.described(variant.equals("dora") ? Dora.of(beginning) : beginning);
    Path target = folder.resolve("again");
    try (PeftDirectory directory = PeftDirectory.open(source)) {
      PeftExport.write(
          adapter, adapter.projection(model, 1), model, directory.over(ZEROS), "base", target);
    }
    try (SafetensorsFile before = weights(source);
        SafetensorsFile after = weights(target)) {
      Map<String, TensorEntry> expected = before.header().tensors();
      assertThat(after.header().tensors().keySet())
          .containsExactlyInAnyOrderElementsOf(expected.keySet());
      assertThat(after.header().metadata()).isEqualTo(before.header().metadata());
      after
          .header()
          .tensors()
          .forEach(
              (tensor, entry) -> {
                TensorEntry old = Objects.requireNonNull(expected.get(tensor));
                assertThat(entry.dtype()).as(tensor).isEqualTo(old.dtype());
                assertThat(entry.dims()).as(tensor).isEqualTo(old.dims());
                assertThat(bytes(after, entry)).as(tensor).isEqualTo(bytes(before, old));
              });
    }
    sameSettings(config(target), config(source));
  }

  /** An adapter that leaves everything to the directory. */
  private static Lora beginning(Path directory) {
    Map<String, Object> defaults = Lora.defaults();
    return new Lora(
        (int) Objects.requireNonNull(defaults.get("rank")),
        (double) Objects.requireNonNull(defaults.get("alpha")),
        false,
        0,
        List.of("all-linear"),
        List.of(),
        Map.of(),
        Map.of(),
        List.of(),
        Optional.of(directory.toString()));
  }

  private static SafetensorsFile weights(Path folder) {
    return SafetensorsFile.open(new LocalStorage(folder), "adapter_model.safetensors");
  }

  /** Keys that peft does not know it drops with a warning. */
  private static void sameSettings(Json.Obj found, Json.Obj expected) {
    assertThat(expected.members().keySet()).containsAll(found.members().keySet());
    for (String key :
        List.of(
            "peft_type",
            "task_type",
            "bias",
            "fan_in_fan_out",
            "inference_mode",
            "use_rslora",
            "use_dora",
            "r")) {
      assertThat(found.get(key).write()).as(key).isEqualTo(expected.get(key).write());
    }
    for (String key : List.of("lora_alpha", "lora_dropout")) {
      assertThat(Double.parseDouble(found.get(key).write()))
          .as(key)
          .isEqualTo(Double.parseDouble(expected.get(key).write()));
    }
  }
}
