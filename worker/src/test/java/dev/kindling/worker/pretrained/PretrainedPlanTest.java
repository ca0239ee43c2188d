package dev.kindling.worker.pretrained;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kindling.configs.yaml.Bound;
import dev.kindling.configs.yaml.ConfigDocument;
import dev.kindling.kernels.graph.PlanException;
import dev.kindling.worker.checkpoint.CheckpointException;
import dev.kindling.worker.data.Bytes;
import dev.kindling.worker.model.Huggingface;
import dev.kindling.worker.plan.PlanChange;
import dev.kindling.worker.plan.PlanReader;
import dev.kindling.worker.plan.TrainPlan;
import dev.kindling.worker.store.StorageLocation;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class PretrainedPlanTest {
  private static final String CONFIG =
      """
      model: {type: huggingface, path: %s}
      data: {type: text, paths: [a]}
      optimizer: {type: adamw, lr: 3e-3}
      steps: 20
      sequence_length: 32
      micro_batch: 256
      global_batch: 2048
      """;

  @TempDir private Path temporary;

  private ModelFolder model() throws IOException {
    String config =
        ModelFolder.fixture("llama-tied").replace("\"vocab_size\": 97", "\"vocab_size\": 256");
    return ModelFolder.of(temporary.resolve("model"), config, "BF16", 2).write();
  }

  private static Bound<TrainPlan> read(Path path, String... sets) {
    return PlanReader.read(ConfigDocument.parse(CONFIG.formatted(path), "exp.yaml"), List.of(sets));
  }

  private static TrainPlan described(Path path, String... sets) {
    return PretrainedPlan.describe(read(path, sets)).value();
  }

  private static Huggingface model(TrainPlan plan) {
    return (Huggingface) plan.model();
  }

  @Test
  void aResolvedConfigurationSaysWhatTheDirectoryHeld() throws IOException {
    ModelFolder folder = model();
    Bound<TrainPlan> bound = PretrainedPlan.describe(read(folder.path));
    assertThat(model(bound.value()).family()).contains(folder.family);
    assertThat(model(bound.value()).sha256()).as("no weight was read").isEmpty();
    assertThat(bound.origins())
        .hasEntrySatisfying(
            "model.family",
            origin -> assertThat(origin).hasToString(folder.path + "/config.json:1"));
    TrainPlan pinned = PretrainedPlan.pin(bound.value().absolute());
    String yaml = PlanReader.toYaml(pinned);
    assertThat(yaml).contains("type: huggingface", "  family:\n    type: llama\n", "sha256: ");
    assertThat(PlanReader.fromYaml(yaml)).isEqualTo(pinned);
    assertThat(pinned.model().withVocabulary(256)).isEqualTo(folder.family);
    // Another process needs nothing but the text.
    Files.delete(folder.path.resolve("config.json"));
    assertThat(
            PretrainedPlan.describe(PlanReader.read(ConfigDocument.parse(yaml, "c"), List.of()))
                .value())
        .isEqualTo(pinned);
  }

  @Test
  void theTokenizerOfTheDirectoryIsTheDefault() throws IOException {
    ModelFolder folder = model();
    assertThat(described(folder.path).tokenizer()).isEqualTo(new Bytes());
    Files.writeString(folder.path.resolve("tokenizer.json"), "{}");
    assertThat(described(folder.path).tokenizer())
        .isEqualTo(
            new dev.kindling.worker.data.Huggingface(folder.path.toString(), Optional.empty()));
    assertThat(described(folder.path, "tokenizer={type: bytes}").tokenizer())
        .isEqualTo(new Bytes());
  }

  @Test
  void anotherModelUnderThePathIsNoticed() throws IOException {
    ModelFolder folder = model();
    TrainPlan pinned = PretrainedPlan.pin(described(folder.path));
    assertThat(PretrainedPlan.pin(pinned)).isEqualTo(pinned);
    String norm = "model.norm.weight";
    folder.put(norm, folder.tensor(norm).with(1, 2, 0x3f80)).write();
    assertThatThrownBy(() -> PretrainedPlan.pin(pinned))
        .isInstanceOf(CheckpointException.class)
        .hasMessageContaining(
            folder.path + ": expected weights of model.sha256 " + model(pinned).sha256().get());
    ModelFolder.of(
            folder.path,
            folder.config.replace("\"rms_norm_eps\": 1e-05", "\"rms_norm_eps\": 1e-03"),
            "BF16",
            2)
        .write();
    assertThatThrownBy(() -> PretrainedPlan.pin(pinned))
        .hasMessageContaining("config.json: expected the model.family of the configuration");
  }

  @Test
  void whatDoesNotFitThePlanIsRefused() throws IOException {
    ModelFolder folder = model();
    assertThatThrownBy(() -> described(folder.path, "sequence_length=64", "micro_batch=256"))
        .isInstanceOf(PlanException.class)
        .hasMessage("sequence_length: expected at most model.context 32, found 64");
    assertThat(described(folder.path, "sequence_length=16").sequenceLength()).isEqualTo(16);
    folder.config = ModelFolder.fixture("llama-tied");
    ModelFolder small = ModelFolder.of(folder.path, folder.config, "F32", 1).write();
    TrainPlan plan = described(small.path);
    assertThatThrownBy(() -> PretrainedPlan.pin(plan))
        .isInstanceOf(CheckpointException.class)
        .hasMessage(
            small.path
                + "/config.json: vocab_size: expected at least the 256 tokens of the tokenizer,"
                + " found 97");
    assertThatThrownBy(() -> plan.model().withVocabulary(256))
        .isInstanceOf(PlanException.class)
        .hasMessageContaining("expected a tokenizer of at most 97 tokens");
    assertThatThrownBy(() -> described(temporary.resolve("none")))
        .isInstanceOf(CheckpointException.class)
        .hasMessageContaining("expected a model directory, found no config.json");
  }

  @Test
  void aDirectoryThatMovedIsTheSameRun() throws IOException {
    ModelFolder folder = model();
    TrainPlan plan = PretrainedPlan.pin(described(folder.path));
    Huggingface moved = new Huggingface("/elsewhere", model(plan).sha256(), model(plan).family());
    TrainPlan after = plan.withModel(moved, plan.tokenizer());
    assertThat(PlanChange.compare(plan, after))
        .singleElement()
        .satisfies(change -> assertThat(change.verdict()).isEqualTo(PlanChange.Verdict.HARMLESS));
    assertThat(PlanChange.trajectory(after)).isEqualTo(PlanChange.trajectory(plan));
    assertThatThrownBy(() -> new Huggingface("x", Optional.of("abc"), Optional.empty()))
        .hasMessage("sha256: expected 64 hexadecimal digits, found abc");
  }

  @Test
  void aRunKeepsWhatStandsBesideTheWeights() throws IOException {
    ModelFolder folder = model();
    Files.writeString(folder.path.resolve("generation_config.json"), "{\"a\":1}");
    Files.writeString(folder.path.resolve("tokenizer_config.json"), "{\"b\":2}");
    StorageLocation run = new StorageLocation(temporary.resolve("run").toString());
    assertThat(CompanionFiles.kept(run)).isEmpty();
    TrainPlan plan = PretrainedPlan.pin(described(folder.path));
    CompanionFiles.keep(plan, run, Map.of());
    CompanionFiles kept = CompanionFiles.kept(run).orElseThrow();
    assertThat(kept.files().keySet())
        .as("the tokenizer is another one")
        .containsExactly("config.json", "generation_config.json");
    assertThat(kept.config(Optional.empty())).isEqualTo(folder.config);
    assertThat(kept.dtypes()).hasSize(folder.family.parameters().size());
    // Once more with the directory's own tokenizer, then without some files.
    Files.writeString(folder.path.resolve("tokenizer.json"), "{}");
    TrainPlan own = described(folder.path);
    CompanionFiles.keep(own, run, Map.of());
    assertThat(CompanionFiles.kept(run).orElseThrow().files().keySet())
        .contains("tokenizer.json", "tokenizer_config.json");
    assertThat(CompanionFiles.tokenizer(run, own.tokenizer())).isEqualTo(own.tokenizer());
    Files.delete(folder.path.resolve("tokenizer.json"));
    assertThat(CompanionFiles.tokenizer(run, own.tokenizer()))
        .isEqualTo(
            new dev.kindling.worker.data.Huggingface(
                run.text() + "/pretrained/tokenizer.json", Optional.empty()));
    Files.delete(folder.path.resolve("generation_config.json"));
    CompanionFiles.keep(plan, run, Map.of());
    assertThat(CompanionFiles.kept(run).orElseThrow().files().keySet())
        .containsExactly("config.json");
    assertThat(CompanionFiles.tokenizer(run, own.tokenizer())).isEqualTo(own.tokenizer());
  }
}
