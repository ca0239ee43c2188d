package dev.kindling.worker.pretrained;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kindling.configs.yaml.ConfigDocument;
import dev.kindling.kernels.graph.PlanException;
import dev.kindling.optim.rule.Mezo;
import dev.kindling.worker.adapt.Adapter;
import dev.kindling.worker.adapt.Dora;
import dev.kindling.worker.adapt.Lora;
import dev.kindling.worker.checkpoint.CheckpointException;
import dev.kindling.worker.data.DataException;
import dev.kindling.worker.plan.PlanChange;
import dev.kindling.worker.plan.PlanReader;
import dev.kindling.worker.plan.TrainPlan;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class PinnedInputsTest {
  private static final String CONFIG =
      """
      model: {type: llama, width: 32, layers: 2, heads: 2, vocabulary: 256, context: 64}
      data: {type: text, paths: [a]}
      optimizer: {type: adamw, lr: 3e-3}
      steps: 20
      sequence_length: 32
      micro_batch: 256
      global_batch: 2048
      """;

  /** As {@code printf abc | sha256sum} tells it. */
  private static final String ABC =
      "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

  @TempDir private Path temporary;

  private static TrainPlan plan(String... sets) {
    return PlanReader.read(ConfigDocument.parse(CONFIG, "exp.yaml"), List.of(sets)).value();
  }

  private TrainPlan asking(String type, Path questions) {
    return plan(
        "optimizer={type: mezo, lr: 1e-6, objective: {type: %s, questions: %s}}"
            .formatted(type, questions));
  }

  private Path write(String name, String text) throws IOException {
    return Files.writeString(temporary.resolve(name), text);
  }

  @ParameterizedTest
  @ValueSource(strings = {"accuracy", "f1", "exact_match"})
  void otherQuestionsUnderThePathAreNoticed(String type) throws IOException {
    Path file = write("q.jsonl", "abc");
    TrainPlan pinned = PinnedInputs.pin(asking(type, file));
    assertThat(((Mezo) pinned.optimizer()).objective().sha256()).contains(ABC);
    assertThat(PlanReader.fromYaml(PlanReader.toYaml(pinned))).isEqualTo(pinned);
    assertThat(PinnedInputs.pin(pinned)).isEqualTo(pinned);
    PinnedInputs.require(pinned, false);

    Path moved = Files.move(file, temporary.resolve("elsewhere"));
    assertThatThrownBy(() -> PinnedInputs.requireQuestions(pinned))
        .isInstanceOf(DataException.class)
        .hasMessageContaining(file + ": cannot be read");
    TrainPlan after = pinned.with(pinned.adapter(), mezo(pinned).withFile(name -> moved + ""));
    PinnedInputs.requireQuestions(after);
    assertThat(PlanChange.check(pinned, after, List.of())).isEmpty();
    assertThat(PlanChange.trajectory(after)).isEqualTo(PlanChange.trajectory(pinned));

    write("elsewhere", "abd");
    assertThatThrownBy(() -> PinnedInputs.require(after, false))
        .isInstanceOf(DataException.class)
        .hasMessageContaining(moved + ": expected questions of optimizer.objective.sha256 " + ABC)
        .hasMessageContaining("the file changed");
    TrainPlan other = PinnedInputs.pin(asking(type, moved));
    assertThatThrownBy(() -> PlanChange.check(pinned, other, List.of()))
        .isInstanceOf(PlanException.class)
        .hasMessageContaining("optimizer.objective.sha256: was " + ABC);
  }

  private static Mezo mezo(TrainPlan plan) {
    return (Mezo) plan.optimizer();
  }

  @Test
  void questionsThatNobodyHashedAreAnotherPlace() {
    TrainPlan before = asking("accuracy", Path.of("a"));
    assertThatThrownBy(() -> PlanChange.check(before, asking("accuracy", Path.of("b")), List.of()))
        .hasMessageContaining("optimizer.objective.questions: was a, now b");
    assertThatThrownBy(() -> mezo(before).objective().holding("abc"))
        .hasMessage("sha256: expected 64 hexadecimal digits, found abc");
  }

  private static Optional<String> hash(Adapter adapter) {
    return adapter instanceof Dora dora ? dora.sha256() : ((Lora) adapter).sha256();
  }

  @ParameterizedTest
  @ValueSource(strings = {"lora", "dora"})
  void anotherAdapterUnderThePathIsNoticedBeforeTheFirstCheckpoint(String type) throws IOException {
    write("adapter_config.json", "{}");
    Path weights = write("adapter_model.safetensors", "abc");
    TrainPlan plan = plan("adapter={type: " + type + ", path: " + temporary + "}");
    TrainPlan pinned = PinnedInputs.pin(plan);
    assertThat(hash(pinned.adapter())).isPresent();
    assertThat(PlanReader.fromYaml(PlanReader.toYaml(pinned))).isEqualTo(pinned);
    assertThat(PinnedInputs.pin(pinned)).isEqualTo(pinned);
    PinnedInputs.require(pinned.absolute(), true);
    String hash = hash(pinned.adapter()).orElseThrow();

    for (Path file : List.of(weights, temporary.resolve("adapter_config.json"))) {
      String before = Files.readString(file);
      Files.writeString(file, before + " ");
      assertThatThrownBy(() -> PinnedInputs.require(pinned, true))
          .isInstanceOf(CheckpointException.class)
          .hasMessageContaining(temporary + ": expected the adapter of adapter.sha256 " + hash)
          .hasMessageContaining("the directory changed");
      Files.writeString(file, before);
    }
    Files.delete(weights);
    PinnedInputs.require(pinned, false);
    assertThatThrownBy(() -> PinnedInputs.require(pinned, true))
        .isInstanceOf(CheckpointException.class)
        .hasMessageContaining(weights + ": cannot be read");
  }
}
