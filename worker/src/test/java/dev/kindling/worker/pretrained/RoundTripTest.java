package dev.kindling.worker.pretrained;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kindling.worker.checkpoint.HuggingFaceExport;
import dev.kindling.worker.checkpoint.SafetensorsType;
import dev.kindling.worker.store.InputFolder;
import dev.kindling.worker.store.Json;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** What is read and written again is the same to the byte, for every family there is. */
class RoundTripTest {
  @TempDir private Path folder;

  /** Every model that transformers described for us, in every type, whole and in files. */
  static List<List<String>> cases() throws IOException {
    List<List<String>> cases = new ArrayList<>();
    for (String fixture : ModelFolder.fixtures()) {
      for (String dtype : List.of("F32", "BF16", "F16")) {
        cases.add(List.of(fixture, dtype, "1"));
        cases.add(List.of(fixture, dtype, "4"));
      }
    }
    return cases;
  }

  private static void export(Path from, Optional<SafetensorsType> dtype, long shard, Path to) {
    try (PretrainedWeights weights = PretrainedWeights.open(ModelDirectory.open(from))) {
      CompanionFiles files = CompanionFiles.of(InputFolder.local(from), weights, true);
      HuggingFaceExport.write(
          weights,
          files.dtypes(dtype),
          new HuggingFaceExport.Companions(files.config(dtype), files.others()),
          shard,
          to);
    }
  }

  /** Tensors of a directory, read by no code of the product but the JSON reader. */
  private static Map<String, byte[]> tensors(Path model) throws IOException {
    Map<String, byte[]> tensors = new TreeMap<>();
    try (var list = Files.list(model)) {
      for (Path path : list.filter(p -> p.toString().endsWith(".safetensors")).toList()) {
        byte[] file = Files.readAllBytes(path);
        int header = (int) ByteBuffer.wrap(file).order(ByteOrder.LITTLE_ENDIAN).getLong(0);
        Json.Obj json = ModelFolder.json(new String(file, 8, header, StandardCharsets.UTF_8));
        for (String name : json.members().keySet()) {
          if (!name.equals("__metadata__")) {
            List<Json> at = json.object(name).list("data_offsets");
            int from = (int) at.get(0).asInteger("from", 0, file.length);
            int to = (int) at.get(1).asInteger("to", 0, file.length);
            tensors.put(name, Arrays.copyOfRange(file, 8 + header + from, 8 + header + to));
          }
        }
      }
    }
    return tensors;
  }

  private static void assertSame(Path expected, Path found) throws IOException {
    Map<String, byte[]> tensors = tensors(found);
    Map<String, byte[]> source = tensors(expected);
    assertThat(tensors.keySet()).isEqualTo(source.keySet()).isNotEmpty();
    source.forEach((name, bytes) -> assertThat(tensors.get(name)).as(name).isEqualTo(bytes));
  }

  @ParameterizedTest
  @MethodSource("cases")
  void noByteOfATensorChanges(List<String> words) throws IOException {
    String config = ModelFolder.fixture(words.get(0));
    int files = Integer.parseInt(words.get(2));
    ModelFolder source = ModelFolder.of(folder.resolve("in"), config, words.get(1), files).write();
    Files.writeString(source.path.resolve("generation_config.json"), "{\"do_sample\": true}");
    Files.writeString(source.path.resolve("tokenizer_config.json"), "{}");
    Files.writeString(source.path.resolve("notes.txt"), "not a file of the model");
    Path out = folder.resolve("out");
    export(source.path, Optional.empty(), 5_000, out);
    assertSame(source.path, out);
    assertThat(out.resolve("config.json")).hasContent(config);
    assertThat(out.resolve("generation_config.json")).hasContent("{\"do_sample\": true}");
    assertThat(out.resolve("tokenizer_config.json")).exists();
    assertThat(out.resolve("model.safetensors.index.json")).exists();
    assertThat(out.resolve("notes.txt")).doesNotExist();
    // Through fp32, as a run keeps them, and back.
    export(out, Optional.of(SafetensorsType.F32), 1 << 30, folder.resolve("wide"));
    assertThat(tensors(folder.resolve("wide")).keySet()).isEqualTo(tensors(out).keySet());
    SafetensorsType own = SafetensorsType.valueOf(words.get(1));
    export(folder.resolve("wide"), Optional.of(own), 1 << 30, folder.resolve("back"));
    assertSame(source.path, folder.resolve("back"));
  }

  @Test
  void anotherTypeIsSaidInTheConfiguration() throws IOException {
    String config = ModelFolder.fixture("llama-tied");
    ModelFolder source = ModelFolder.of(folder.resolve("in"), config, "F32", 1).write();
    export(source.path, Optional.of(SafetensorsType.BF16), 1 << 30, folder.resolve("out"));
    Json.Obj written = ModelFolder.json(Files.readString(folder.resolve("out/config.json")));
    assertThat(written.text("dtype")).isEqualTo("bfloat16");
    assertThat(written.members().keySet()).isEqualTo(ModelFolder.json(config).members().keySet());
    assertThat(ModelDirectory.open(folder.resolve("out")).family()).isEqualTo(source.family);
    Files.writeString(source.path.resolve("config.json"), source.family.huggingFaceConfig());
    export(source.path, Optional.of(SafetensorsType.F16), 1 << 30, folder.resolve("half"));
    assertThat(ModelFolder.json(Files.readString(folder.resolve("half/config.json"))))
        .satisfies(json -> assertThat(json.text("torch_dtype")).isEqualTo("float16"));
  }
}
