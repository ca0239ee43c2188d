package dev.kindling.worker.pretrained;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.memory.Span;
import dev.kindling.worker.checkpoint.CheckpointException;
import dev.kindling.worker.checkpoint.SafetensorsType;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class PretrainedWeightsTest {
  private static final String UP = "model.layers.0.mlp.up_proj.weight";

  @TempDir private Path temporary;

  private ModelFolder folder(String fixture, String dtype, int files) throws IOException {
    return ModelFolder.of(temporary.resolve("model"), ModelFolder.fixture(fixture), dtype, files);
  }

  private static PretrainedWeights open(ModelFolder folder) {
    return PretrainedWeights.open(ModelDirectory.open(folder.path));
  }

  private static void assertRefused(ModelFolder folder, String... words) throws IOException {
    folder.write();
    assertThatThrownBy(
            () -> {
              try (PretrainedWeights weights = open(folder)) {
                for (Param param : folder.family.parameters()) {
                  assertHolds(folder, weights, param);
                }
              }
            })
        .isInstanceOf(CheckpointException.class)
        .satisfies(refused -> assertThat(refused.getMessage()).contains(words));
  }

  /** Compares a whole parameter, and runs of it, with the bytes of the folder. */
  private static void assertHolds(ModelFolder folder, PretrainedWeights weights, Param param) {
    assertHolds(folder.tensor(param.name()), weights, param);
  }

  private static void assertHolds(
      ModelFolder.Tensor tensor, PretrainedWeights weights, Param param) {
    int elements = (int) param.shape().elements();
    try (Span whole = Span.allocate(4L * elements)) {
      weights.fill(param, 0, whole);
      for (int i = 0; i < elements; i++) {
        assertThat(whole.getInt(i)).as("%s %d", param.name(), i).isEqualTo(expected(tensor, i));
      }
      int from = elements / 3;
      try (Span run = Span.allocate(4L * (elements / 2))) {
        weights.fill(param, from, run);
        assertThat(run.toFloats()).containsExactly(whole.slice(4L * from, run.bytes()).toFloats());
      }
    }
  }

  /** By arithmetic on the number's parts, not by the product's code. */
  private static int expected(ModelFolder.Tensor tensor, int element) {
    ByteBuffer bytes = ByteBuffer.wrap(tensor.bytes()).order(ByteOrder.LITTLE_ENDIAN);
    if (tensor.dtype().equals("F32")) {
      return bytes.getInt(4 * element);
    }
    int bits = bytes.getShort(2 * element) & 0xffff;
    if (tensor.dtype().equals("BF16")) {
      return bits << 16;
    }
    int exponent = (bits >> 10) & 31;
    double fraction = (bits & 0x3ff) / 1024.0;
    double value =
        exponent == 0 ? Math.scalb(fraction, -14) : Math.scalb(1 + fraction, exponent - 15);
    return Float.floatToRawIntBits((float) ((bits & 0x8000) == 0 ? value : -value));
  }

  @ParameterizedTest
  @CsvSource({
    "gpt2,F32,1",
    "gpt2,BF16,3",
    "llama-tied,F16,1",
    "llama-untied,BF16,1",
    "llama-untied,F16,5"
  })
  void everyParameterIsItsTensor(String fixture, String dtype, int files) throws IOException {
    ModelFolder folder = folder(fixture, dtype, files).write();
    try (PretrainedWeights weights = open(folder)) {
      for (Param param : folder.family.parameters()) {
        assertHolds(folder, weights, param);
      }
      assertThat(weights.dtypes().values()).containsOnly(SafetensorsType.valueOf(dtype));
    }
  }

  @Test
  void namesMayLackThePrefixAndConstantsAndATiedHeadAreNoWeights() throws IOException {
    ModelFolder folder = folder("gpt2", "F32", 1);
    ModelFolder.Tensor mask = new ModelFolder.Tensor("F32", List.of(2L), new byte[8]);
    folder.rename(name -> name.replaceFirst("^transformer\\.", ""));
    folder.put("h.0.attn.bias", mask).put("h.1.attn.masked_bias", mask);
    folder.put("lm_head.weight", mask).write();
    try (PretrainedWeights weights = open(folder)) {
      for (Param param : folder.family.parameters()) {
        String name = param.name().substring("transformer.".length());
        assertHolds(folder.tensor(name), weights, param);
      }
      assertThat(weights.tensors().get(0).name()).startsWith("transformer.");
    }
    ModelFolder llama =
        ModelFolder.of(temporary.resolve("b"), ModelFolder.fixture("llama-tied"), "F16", 2);
    llama.put("model.layers.0.self_attn.rotary_emb.inv_freq", mask).write();
    open(llama).close();
  }

  @Test
  void filesMayBeLinks() throws IOException {
    ModelFolder folder = folder("llama-tied", "BF16", 2).write();
    Path blobs = Files.createDirectories(temporary.resolve("blobs"));
    Path snapshot = Files.createDirectories(temporary.resolve("snapshot"));
    try (var files = Files.list(folder.path)) {
      for (Path file : files.toList()) {
        Path blob = Files.move(file, blobs.resolve(Integer.toHexString(file.hashCode())));
        Files.createSymbolicLink(snapshot.resolve(String.valueOf(file.getFileName())), blob);
      }
    }
    try (PretrainedWeights weights = PretrainedWeights.open(ModelDirectory.open(snapshot))) {
      Param first = folder.family.parameters().get(0);
      assertHolds(folder, weights, first);
    }
  }

  @Test
  void aMissingFileIsNamed() throws IOException {
    ModelFolder folder = folder("llama-tied", "F32", 3).write();
    Files.delete(folder.path.resolve("model-00002-of-00003.safetensors"));
    assertThatThrownBy(() -> open(folder))
        .isInstanceOf(CheckpointException.class)
        .hasMessage(
            folder.path
                + "/model-00002-of-00003.safetensors: expected a file that"
                + " model.safetensors.index.json names, found none");
    Files.delete(folder.path.resolve("model.safetensors.index.json"));
    assertThatThrownBy(() -> open(folder))
        .hasMessage(
            folder.path
                + ": expected model.safetensors or model.safetensors.index.json, found neither");
    Files.writeString(folder.path.resolve("pytorch_model.bin"), "x");
    assertThatThrownBy(() -> open(folder)).hasMessageContaining("found neither but a pickle");
    Files.delete(folder.path.resolve("config.json"));
    assertThatThrownBy(() -> open(folder))
        .hasMessage(folder.path + ": expected a model directory, found no config.json");
  }

  @Test
  void anIndexThatDisagreesWithTheFilesIsRefused() throws IOException {
    String second = "model-00002-of-00002.safetensors";
    ModelFolder folder = folder("llama-tied", "F32", 2);
    String elsewhere = folder.of(second).keySet().iterator().next();
    folder.indexed.put(elsewhere, "model-00001-of-00002.safetensors");
    assertRefused(
        folder,
        "model.safetensors.index.json: tensor " + elsewhere + ": expected in model-00001-of",
        ", found in " + second);
    folder.indexed.clear();
    folder.indexed.put("model.ghost.weight", second);
    assertRefused(folder, "tensor model.ghost.weight: expected in " + second, "found in no file");
    folder.indexed.clear();
    folder.indexed.put(UP, "");
    assertRefused(folder, "tensor " + UP + ": found in model-0000", "expected in weight_map too");
    folder.indexed.clear();
    folder.indexed.put("model.norm.weight", "../secret.safetensors");
    assertRefused(
        folder,
        "tensor model.norm.weight: expected the name of a .safetensors file in the same folder",
        "found \"../secret.safetensors\"");
    folder.indexed.clear();
    folder.of(second).put(UP, folder.tensor(UP));
    folder.of("model-00001-of-00002.safetensors").put(UP, folder.tensor(UP));
    assertRefused(
        folder, second + ": tensor " + UP + ": expected in one file, found in model-00001");
  }

  @Test
  void missingAndLeftOverTensorsAreListed() throws IOException {
    assertRefused(
        folder("llama-untied", "F32", 1)
            .rename(name -> name.equals(UP) || name.equals("lm_head.weight") ? "" : name),
        "expected the tensors of its llama model, found no " + UP + ", lm_head.weight");
    ModelFolder extra = folder("llama-untied", "F32", 1);
    for (int i = 0; i < 23; i++) {
      extra.put("adapter." + i, new ModelFolder.Tensor("F32", List.of(1L), new byte[4]));
    }
    assertRefused(
        extra,
        "model alone, found also adapter.0, adapter.1, adapter.10",
        ", adapter.6 and 3 more");
  }

  @Test
  void anotherShapeOrTypeIsRefused() throws IOException {
    ModelFolder folder = folder("llama-tied", "F32", 1);
    ModelFolder.Tensor up = folder.tensor(UP);
    assertRefused(
        folder.put(UP, new ModelFolder.Tensor("F32", List.of(32L, 64L), up.bytes())),
        "model.safetensors: tensor " + UP,
        "expected shape [64, 32] after config.json, found [32, 64]");
    assertRefused(
        folder.put(UP, new ModelFolder.Tensor("I32", List.of(64L, 32L), up.bytes())),
        "tensor " + UP + ": expected F32, BF16 or F16, found I32");
    assertRefused(
        folder.put(UP, new ModelFolder.Tensor("F32", List.of(64L, 33L), up.bytes())),
        "model.safetensors: byte ",
        "tensor " + UP + ": expected 8448 bytes for F32[64, 33], found 8192");
  }

  @ParameterizedTest
  @CsvSource({
    "F32,4,7fc00000,NaN",
    "F32,4,ff800000,-Infinity",
    "BF16,2,7f80,Infinity",
    "BF16,2,ffc1,NaN",
    "F16,2,7c00,Infinity",
    "F16,2,7e00,NaN"
  })
  void aWeightThatIsNoNumberIsFoundToTheByte(String dtype, int size, String bits, String shown)
      throws IOException {
    ModelFolder folder = folder("llama-tied", dtype, 1);
    int element = 37 * 32 + 5;
    folder.put(UP, folder.tensor(UP).with(element, size, Long.parseLong(bits, 16)));
    assertRefused(
        folder,
        "model.safetensors: tensor " + UP + ": byte ",
        ": element [37, 5]: expected a finite number, found " + shown);
  }

  @Test
  void aRankReadsWhatItHoldsAlone() throws IOException {
    ModelFolder folder = folder("llama-tied", "F32", 1);
    // What other ranks hold may be anything.
    folder.put(UP, folder.tensor(UP).with(64 * 32 - 1, 4, 0x7fc00000)).write();
    Param up =
        folder.family.parameters().stream().filter(p -> p.name().equals(UP)).findFirst().get();
    try (PretrainedWeights weights = open(folder);
        Span half = Span.allocate(4L * 64 * 16)) {
      weights.fill(up, 1000, half.slice(0, half.bytes() - 8));
      assertThatThrownBy(() -> weights.fill(up, 1024, half)).hasMessageContaining("[63, 31]");
    }
  }

  @Test
  void aTensorOfManyPiecesPassesThroughOne() throws IOException {
    // 13 MiB of bf16 are four pieces, of which the last is not full.
    String config =
        ModelFolder.fixture("llama-tied").replace("\"vocab_size\": 97", "\"vocab_size\": 212999");
    assertThat(config).contains("212999");
    ModelFolder folder = ModelFolder.of(temporary.resolve("large"), config, "BF16", 1).write();
    Param table = folder.family.parameters().get(0);
    assertThat(table.shape().elements() * 2).isGreaterThan(3L * PretrainedWeights.PIECE_BYTES);
    ModelFolder.Tensor tensor = folder.tensor(table.name());
    try (PretrainedWeights weights = open(folder);
        Span whole = Span.allocate(4 * table.shape().elements())) {
      long before = allocatedBytes();
      weights.fill(table, 0, whole);
      assertThat(allocatedBytes() - before).isLessThan(PretrainedWeights.PIECE_BYTES);
      for (int i = 0; i < table.shape().elements(); i += 61) {
        assertThat(whole.getInt(i)).isEqualTo(expected(tensor, i));
      }
    }
  }

  private static long allocatedBytes() {
    return ((com.sun.management.ThreadMXBean)
            java.lang.management.ManagementFactory.getThreadMXBean())
        .getThreadAllocatedBytes(Thread.currentThread().getId());
  }

  @Test
  void theHashFollowsEveryByteAndNameOfTheFiles() throws IOException {
    ModelFolder folder = folder("llama-tied", "F32", 2).write();
    String hash = open(folder).sha256();
    assertThat(hash).matches("[0-9a-f]{64}").isEqualTo(open(folder).sha256());
    folder.put(UP, folder.tensor(UP).with(3, 4, 1)).write();
    assertThat(open(folder).sha256()).isNotEqualTo(hash);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "\"model_type\": \"llama\" | \"model_type\": \"mamba\" | model_type: expected gpt2",
        "\"num_key_value_heads\": 2 | \"num_key_value_heads\": 3 | kv_heads: expected a divisor of heads 4, found 3",
        "\"num_hidden_layers\": 2 | \"num_hidden_layers\": 2000000000 | layers: expected at most 1000, found 2000000000",
        "\"vocab_size\": 97 | \"vocab_size\": ninety | byte "
      })
  void aConfigurationThatIsNotUnderstoodIsRefused(String good, String bad, String message)
      throws IOException {
    ModelFolder folder = folder("llama-tied", "F32", 1);
    folder.config = folder.config.replace(good, bad);
    assertThat(folder.config).contains(bad);
    assertRefused(folder, folder.path + "/config.json: ", message);
  }
}
