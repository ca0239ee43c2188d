package dev.kindling.worker.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.kindling.kernels.graph.Shape;
import dev.kindling.kernels.memory.Span;
import dev.kindling.worker.store.Json;
import dev.kindling.worker.store.JsonReader;
import dev.kindling.worker.store.LocalStorage;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class HuggingFaceExportTest {
  private static final byte[] TOKENIZER = "{\"version\":\"1.0\"}".getBytes(StandardCharsets.UTF_8);

  @TempDir Path folder;
  private CheckpointStore store;
  private Generation generation;
  private HuggingFaceExport.Companions companions;

  @BeforeEach
  void oneGeneration() throws IOException {
    store = TinyRun.open(folder.resolve("run"));
    TinyRun.save(store, store.claimEpoch(), 4, 2);
    generation = store.newestValid(new ArrayList<>()).orElseThrow();
    companions =
        new HuggingFaceExport.Companions(
            "{\"model_type\":\"llama\"}\n", Map.of("tokenizer.json", TOKENIZER));
  }

  private void export(HuggingFaceExport.Companions beside, long shardBytes, Path target) {
    try (ExportedTensors tensors = HuggingFaceExport.of(store, generation)) {
      HuggingFaceExport.write(tensors, Map.of(), beside, shardBytes, target);
    }
  }

  private void export(Path target) {
    export(companions, HuggingFaceExport.SHARD_BYTES, target);
  }

  private static void assertWeights(Path target, String file, NamedSpan expected) {
    try (SafetensorsFile weights = SafetensorsFile.open(new LocalStorage(target), file);
        Span found = Span.allocate(expected.span().bytes())) {
      assertThat(weights.header().metadata()).containsEntry("format", "pt");
      weights.readFloats(expected.name(), found);
      assertThat(found.toFloats()).containsExactly(expected.span().toFloats());
    }
  }

  @Test
  void aSmallModelIsOneFileBesideItsConfiguration() throws IOException {
    Path target = folder.resolve("out/model");
    export(target);
    assertThat(TinyRun.files(target).stream().map(f -> target.relativize(f).toString()))
        .containsExactly("config.json", "model.safetensors", "tokenizer.json");
    assertThat(Files.readString(target.resolve("config.json"))).isEqualTo(companions.config());
    assertThat(target.resolve("tokenizer.json")).hasBinaryContent(TOKENIZER);
    for (NamedSpan tensor : TinyRun.tensors(PartKind.MODEL, 4)) {
      assertWeights(target, "model.safetensors", tensor);
    }
    assertThat(Files.list(folder.resolve("out"))).as("no staging folder").hasSize(1);
  }

  @Test
  void aLargeModelIsSplitAndIndexed() throws IOException {
    Path target = Files.createDirectories(folder.resolve("empty"));
    export(companions, 120, target);
    Json.Obj index =
        JsonReader.read(Files.readAllBytes(target.resolve("model.safetensors.index.json")), "index")
            .asObject("index");
    Map<String, String> fileOf = index.stringMap("weight_map");
    assertThat(fileOf.values())
        .containsOnly("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors");
    for (NamedSpan tensor : TinyRun.tensors(PartKind.MODEL, 4)) {
      assertWeights(target, fileOf.getOrDefault(tensor.name(), "absent"), tensor);
    }
  }

  @Test
  void weightsAreRoundedToTheTypeThatIsAskedFor() {
    Path target = folder.resolve("out/narrow");
    String name = "model.norm.weight";
    try (ExportedTensors tensors = HuggingFaceExport.of(store, generation)) {
      HuggingFaceExport.write(
          tensors, Map.of(name, SafetensorsType.BF16), companions, 1000, target);
    }
    NamedSpan norm = TinyRun.tensors(PartKind.MODEL, 4).get(2);
    try (SafetensorsFile weights =
            SafetensorsFile.open(new LocalStorage(target), "model.safetensors");
        Span found = Span.allocate(norm.span().bytes())) {
      assertThat(weights.entry(name).dtype()).isEqualTo(SafetensorsType.BF16);
      assertThat(weights.entry("model.embed_tokens.weight").dtype()).isEqualTo(SafetensorsType.F32);
      weights.readFloats(name, found);
      for (int i = 0; i < 4; i++) {
        float exact = norm.span().getFloat(i);
        assertThat(found.getFloat(i)).isNotEqualTo(exact).isCloseTo(exact, within(exact / 256));
      }
    }
  }

  @Test
  void aNumberThatTheTypeCannotHoldIsRefused() {
    ExportedTensors one =
        new ExportedTensors() {
          @Override
          public List<Stored> tensors() {
            return List.of(
                new Stored("w", SafetensorsType.F32, List.of(3L), java.util.Optional.empty()));
          }

          @Override
          public void read(Stored tensor, long offset, ByteBuffer target) {
            target.putFloat(1f).putFloat(-65520f).putFloat(2f);
          }

          @Override
          public void close() {}
        };
    Path target = folder.resolve("out/half");
    assertThatThrownBy(
            () ->
                HuggingFaceExport.write(
                    one, Map.of("w", SafetensorsType.F16), companions, 1000, target))
        .isInstanceOf(CheckpointException.class)
        .hasMessage(
            "tensor w: element 1: expected a number that F16 can hold, found one that is too large"
                + " or none");
    assertThat(target).doesNotExist();
  }

  @Test
  void nothingIsOverwritten() throws IOException {
    Path target = Files.createDirectories(folder.resolve("full"));
    Files.writeString(target.resolve("mine"), "x");
    assertThatThrownBy(() -> export(target))
        .isInstanceOf(CheckpointException.class)
        .hasMessageContaining("absent or empty folder");
    assertThat(TinyRun.files(target)).hasSize(1);
  }

  @Test
  void aDamagedPartLeavesNoDirectory() throws IOException {
    CheckpointStoreTest.flip(
        folder.resolve("run/data/e0000000001/s000000000004-3f9a/model-00002-of-00002.safetensors"));
    Path target = folder.resolve("out/model");
    assertThatThrownBy(() -> export(target))
        .isInstanceOf(CheckpointException.class)
        .hasMessageContaining("model-00002-of-00002.safetensors");
    assertThat(Files.list(folder.resolve("out"))).isEmpty();
  }

  @Test
  void aNameThatLeavesTheDirectoryIsRefused() {
    HuggingFaceExport.Companions hostile =
        new HuggingFaceExport.Companions("{}", Map.of("../tokenizer.json", TOKENIZER));
    assertThatThrownBy(() -> export(hostile, 120, folder.resolve("out/model")))
        .hasMessageContaining("..");
    assertThat(folder.resolve("out/tokenizer.json")).doesNotExist();
    assertThat(folder.resolve("out/model")).doesNotExist();
  }

  @Test
  void aDifferenceIsFoundToTheElement(@TempDir Path other) {
    CheckpointStore twin = TinyRun.open(other);
    TinyRun.save(twin, twin.claimEpoch(), 4, 1);
    GenerationDiff.Side left = new GenerationDiff.Side(store, generation);
    GenerationDiff.Side right =
        new GenerationDiff.Side(twin, twin.newestValid(new ArrayList<>()).orElseThrow());
    assertThat(GenerationDiff.of(left, right))
        .isEqualTo(new GenerationDiff(6, 0, false, java.util.Optional.empty()));
    List<NamedSpan> bent = TinyRun.tensors(PartKind.MODEL, 4);
    int bits = bent.get(1).span().getInt(7);
    bent.get(1).span().putInt(7, bits ^ 1);
    GenerationDiff diff = GenerationDiff.of(left, saved(twin, bent));
    assertThat(diff.differing()).isEqualTo(1);
    assertThat(diff.stateDiffers()).isFalse();
    assertThat(diff.first())
        .hasValue(
            new GenerationDiff.Difference(
                PartKind.MODEL, "model.layers.0.mlp.up_proj.weight", 7, bits, bits ^ 1));
  }

  /** A generation of step 4 with other weights. */
  private static GenerationDiff.Side saved(CheckpointStore store, List<NamedSpan> weights) {
    long epoch = store.claimEpoch();
    List<PartDescriptor> parts = new ArrayList<>();
    for (PartKind kind : PartKind.values()) {
      List<NamedSpan> tensors = kind == PartKind.MODEL ? weights : TinyRun.tensors(kind, 4);
      parts.addAll(store.writeParts(epoch, 4, "b", TinyRun.onePart(kind, 0, 1), tensors));
    }
    TrainState state = TinyRun.state(4, 9);
    store.commit(new CommitRequest(epoch, 4, "b", 1, parts, state, TinyRun.FACTS));
    return new GenerationDiff.Side(store, store.newestValid(new ArrayList<>()).orElseThrow());
  }

  /** What is compared at a time is less than half of it. */
  @Test
  void aDifferenceFarIntoALargeTensorIsFound(@TempDir Path ours, @TempDir Path theirs) {
    int elements = (36 << 20) / Float.BYTES + 3;
    try (Span span = Span.allocate((long) elements * Float.BYTES)) {
      NamedSpan large = new NamedSpan("large", Shape.of(elements), span);
      GenerationDiff.Side left = saved(TinyRun.open(ours), List.of(large));
      for (int element : new int[] {4, elements / 2, elements - 1}) {
        span.putInt(element, 9);
        GenerationDiff.Side right =
            saved(TinyRun.open(theirs.resolve("" + element)), List.of(large));
        assertThat(GenerationDiff.of(left, right).first())
            .hasValue(new GenerationDiff.Difference(PartKind.MODEL, "large", element, 0, 9));
        span.putInt(element, 0);
      }
    }
  }
}
