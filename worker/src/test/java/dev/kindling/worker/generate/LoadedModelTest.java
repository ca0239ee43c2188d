package dev.kindling.worker.generate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kindling.kernels.backend.Backend;
import dev.kindling.kernels.backend.CpuOptions;
import dev.kindling.kernels.backend.MatmulKind;
import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.graph.PlanException;
import dev.kindling.kernels.memory.Span;
import dev.kindling.worker.checkpoint.CheckpointException;
import dev.kindling.worker.evaluate.Scorer;
import dev.kindling.worker.model.Gpt2;
import dev.kindling.worker.pretrained.ModelFolder;
import dev.kindling.worker.store.StorageLocation;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** How many tokens a model directory sees at once. */
class LoadedModelTest {
  @TempDir private Path folder;
  private final List<String> notices = new ArrayList<>();

  private ModelFolder directory(Path path, int context) {
    Gpt2 family = new Gpt2(8, 1, 2, Optional.empty(), Optional.of(256), context, true, 0.02, 1e-5);
    return ModelFolder.of(path, family.huggingFaceConfig(), "F32", 1);
  }

  private Path model(int context) throws IOException {
    Path path = folder.resolve("model" + context);
    directory(path, context).write();
    return path;
  }

  private int context(Path model, Optional<Integer> asked) {
    try (Backend backend = Backend.cpu(new CpuOptions(1, MatmulKind.JAVA));
        LoadedModel<Scorer> loaded =
            LoadedModel.open(
                new StorageLocation(model.toString()),
                asked,
                notices::add,
                (family, tokens) -> new Scorer(family, tokens, backend))) {
      return loaded.programs().context();
    }
  }

  @Test
  void aShortContextIsTakenWholeAndALongOneIsCutWithALine() throws IOException {
    assertThat(context(model(96), Optional.empty())).isEqualTo(96);
    assertThat(notices).isEmpty();
    Path wide = model(1500);
    assertThat(context(wide, Optional.empty())).isEqualTo(1024);
    assertThat(notices)
        .containsExactly("context: 1024 of the model's 1500 tokens; --context N takes more");
    notices.clear();
    assertThat(context(wide, Optional.of(1500))).isEqualTo(1500);
    assertThat(context(wide, Optional.of(7))).isEqualTo(7);
    assertThat(notices).isEmpty();
  }

  private Set<Integer> ends(Path model) {
    try (Backend backend = Backend.cpu(new CpuOptions(1, MatmulKind.JAVA));
        LoadedModel<Scorer> loaded =
            LoadedModel.open(
                new StorageLocation(model.toString()),
                Optional.empty(),
                notices::add,
                (family, tokens) -> new Scorer(family, tokens, backend))) {
      return loaded.ends();
    }
  }

  @Test
  void textEndsWhereTheTokenizerOrTheDirectorySaysSo() throws IOException {
    Path model = model(96);
    assertThat(ends(model)).containsExactly(0);
    Path config = model.resolve("generation_config.json");
    Files.writeString(config, "{\"eos_token_id\": 7, \"top_p\": 0.9}");
    assertThat(ends(model)).containsExactlyInAnyOrder(0, 7);
    Files.writeString(config, "{\"eos_token_id\": [7, 9]}");
    assertThat(ends(model)).containsExactlyInAnyOrder(0, 7, 9);
    Files.writeString(config, "{\"eos_token_id\": null}");
    assertThat(ends(model)).containsExactly(0);
    Files.writeString(config, "{\"eos_token_id\": \"end\"}");
    assertThatThrownBy(() -> ends(model))
        .isInstanceOf(CheckpointException.class)
        .hasMessageContaining("generation_config.json: byte 17: eos_token_id: expected");
  }

  @Test
  void whatTheModelHasNotIsRefused() throws IOException {
    Path model = model(96);
    for (int asked : new int[] {0, -1, 97}) {
      assertThatThrownBy(() -> context(model, Optional.of(asked)))
          .isInstanceOf(PlanException.class)
          .hasMessage("context: expected 1 to 96 tokens (the model's), found " + asked);
    }
  }

  /** Else a GPU would keep the memory of a model that nobody has. */
  @Test
  void programsWithoutWeightsAreClosed() throws IOException {
    Path model = folder.resolve("spoilt");
    directory(model, 96).spoil("transformer.ln_f.bias", 3).write();
    List<String> story = new ArrayList<>();
    try (Backend backend = Backend.cpu(new CpuOptions(1, MatmulKind.JAVA))) {
      assertThatThrownBy(
              () ->
                  LoadedModel.open(
                      new StorageLocation(model.toString()),
                      Optional.empty(),
                      notices::add,
                      (family, tokens) ->
                          new ToldPrograms(new Scorer(family, tokens, backend), story)))
          .isInstanceOf(CheckpointException.class);
    }
    assertThat(story).containsExactly("closed");
  }

  /** What can be refused without programs is refused before there are any. */
  @Test
  void aBrokenGenerationConfigLeavesNoProgramsBehind() throws IOException {
    Path model = model(96);
    Files.writeString(model.resolve("generation_config.json"), "{\"eos_token_id\": \"end\"}");
    List<String> story = new ArrayList<>();
    try (Backend backend = Backend.cpu(new CpuOptions(1, MatmulKind.JAVA))) {
      assertThatThrownBy(
              () ->
                  LoadedModel.open(
                      new StorageLocation(model.toString()),
                      Optional.empty(),
                      notices::add,
                      (family, tokens) -> {
                        story.add("made");
                        return new ToldPrograms(new Scorer(family, tokens, backend), story);
                      }))
          .isInstanceOf(CheckpointException.class)
          .hasMessageContaining("generation_config.json");
    }
    assertThat(story).isEmpty();
  }

  private record ToldPrograms(Scorer scorer, List<String> story) implements ModelPrograms {
    @Override
    public List<Param> params() {
      return scorer.params();
    }

    @Override
    public Span weight(String name) {
      return scorer.weight(name);
    }

    @Override
    public void filled(String name) {
      scorer.filled(name);
    }

    @Override
    public void close() {
      story.add("closed");
      scorer.close();
    }
  }
}
