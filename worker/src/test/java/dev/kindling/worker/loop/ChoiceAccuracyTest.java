package dev.kindling.worker.loop;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kindling.kernels.backend.Backend;
import dev.kindling.kernels.backend.CpuOptions;
import dev.kindling.kernels.backend.MatmulKind;
import dev.kindling.worker.data.BadLines;
import dev.kindling.worker.evaluate.ChoiceEvaluation;
import dev.kindling.worker.evaluate.ChoiceScore;
import dev.kindling.worker.evaluate.Scorer;
import dev.kindling.worker.event.StepDone;
import dev.kindling.worker.event.Validated;
import dev.kindling.worker.generate.LoadedModel;
import dev.kindling.worker.launch.ThreadLauncher;
import dev.kindling.worker.store.StorageLocation;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class ChoiceAccuracyTest {
  private static final int QUESTIONS = 23;

  private static final String SETTINGS =
      """
      determinism: %s
      logical_shards: 4
      steps: %d
      global_batch: 256
      micro_batch: 64
      ranks: %d
      mesh: {zero: %d}
      """;

  @TempDir private Path folder;

  /**
   * A code-like question of three choices of different lengths, of which any may be called right.
   */
  private Path questions() throws IOException {
    Random random = new Random(20261128);
    List<String> lines = new ArrayList<>();
    for (int i = 0; i < QUESTIONS; i++) {
      List<String> choices = new ArrayList<>();
      choices.add(random.nextInt(9) + " = " + random.nextInt(50) + ";");
      choices.add("= " + "x".repeat(1 + random.nextInt(20)));
      choices.add(" + y; int".substring(0, 2 + random.nextInt(7)));
      lines.add(
          "{\"prompt\": \"%s\", \"choices\": [\"%s\"], \"answer\": %d}"
              .formatted(
                  i == 3 ? "" : "int x" + "; int x".repeat(random.nextInt(6)),
                  String.join("\", \"", choices),
                  random.nextInt(3)));
    }
    return Files.write(folder.resolve("questions of a test.jsonl"), lines);
  }

  private SmallRun run(String name, String determinism, int steps, int ranks, int zero)
      throws IOException {
    return SmallRun.in(
        folder.resolve(name),
        SETTINGS.formatted(determinism, steps, ranks, zero),
        "validation.choices=" + questions());
  }

  /** Accuracies that rank 0 told, by step. */
  private static Map<Long, Float> accuracies(SmallRun run, StopSignal stop, Runnable atStepFour)
      throws InterruptedException {
    Map<Long, Float> told = Collections.synchronizedMap(new TreeMap<>());
    run.run(
        new ThreadLauncher(),
        stop,
        event -> {
          if (event instanceof Validated validated) {
            assertThat(validated.rank()).isZero();
            told.put(validated.step(), validated.accuracy());
          } else if (event instanceof StepDone done && done.step() == 4) {
            atStepFour.run();
          }
        });
    return told;
  }

  private static Map<Long, Float> accuracies(SmallRun run) throws InterruptedException {
    return accuracies(run, StopSignal.NEVER, () -> {});
  }

  private float afterwards(String name) throws IOException {
    try (Backend backend = Backend.cpu(new CpuOptions(1, MatmulKind.JAVA));
        LoadedModel<Scorer> model =
            LoadedModel.open(
                StorageLocation.of(folder.resolve(name).resolve("run").toString()),
                Optional.empty(),
                notice -> {},
                (family, context) -> new Scorer(family, context, backend))) {
      ChoiceScore score =
          new ChoiceEvaluation(model.programs(), model.tokenizer(), progress -> {})
              .of(questions(), BadLines.FAIL, notice -> {});
      assertThat(score.questions()).isEqualTo(QUESTIONS);
      return (float) score.rightByMean() / QUESTIONS;
    }
  }

  @ParameterizedTest
  @CsvSource({"1, 0", "2, 0", "2, 1", "2, 2", "2, 3"})
  void itEqualsAnEvaluationOfTheSavedWeights(int ranks, int zero) throws Exception {
    Map<Long, Float> told = accuracies(run("run", "replay", 22, ranks, zero));
    assertThat(told.keySet()).containsExactly(4L, 8L, 12L, 16L, 20L, 22L);
    assertThat(told.get(22L)).isEqualTo(afterwards("run")).isBetween(0.1f, 0.9f);
    assertThat(Set.copyOf(told.values())).as("training changes answers").hasSizeGreaterThan(1);
  }

  @Test
  void oneTwoAndFourRanksTellTheSame() throws Exception {
    Map<Long, Float> alone = accuracies(run("one", "exact", 10, 1, 0));
    assertThat(alone).hasSize(3);
    assertThat(accuracies(run("two", "exact", 10, 2, 0))).isEqualTo(alone);
    assertThat(accuracies(run("four", "exact", 10, 4, 0))).isEqualTo(alone);
  }

  @Test
  void askingChangesNoBitOfTheStepsAndOfWhatIsSaved() throws Exception {
    SmallRun asked = run("asked", "replay", 10, 2, 0);
    SmallRun quiet = SmallRun.in(folder.resolve("quiet"), SETTINGS.formatted("replay", 10, 2, 0));
    assertThat(asked.run(new ThreadLauncher(), StopSignal.NEVER).lossBits())
        .hasSize(10)
        .isEqualTo(quiet.run(new ThreadLauncher(), StopSignal.NEVER).lossBits());
    List<String> refusals = new ArrayList<>();
    assertThat(asked.store().newestValid(refusals).orElseThrow().stateHash())
        .isEqualTo(quiet.store().newestValid(refusals).orElseThrow().stateHash());
  }

  @Test
  void aResumedRunGoesOnAsking() throws Exception {
    Map<Long, Float> whole = accuracies(run("whole", "replay", 12, 2, 0));
    SmallRun cut = run("cut", "replay", 12, 2, 0);
    AtomicBoolean stop = new AtomicBoolean();
    Map<Long, Float> joined =
        accuracies(
            cut,
            () -> stop.get() ? StopRequest.CHECKPOINT_AND_STOP : StopRequest.NONE,
            () -> stop.set(true));
    assertThat(joined).hasSizeLessThan(whole.size());
    joined.putAll(accuracies(cut));
    // A stop right behind step 4 leaves its questions out.
    whole.keySet().retainAll(joined.keySet());
    assertThat(joined).isEqualTo(whole).hasSizeGreaterThan(1);
  }

  @Test
  void withoutHeldOutTextThereIsAccuracyAlone() throws Exception {
    SmallRun run =
        SmallRun.in(
            folder.resolve("run"),
            SETTINGS.formatted("replay", 4, 1, 0),
            "data.validation_fraction=0",
            "validation.choices=" + questions());
    List<Validated> told = Collections.synchronizedList(new ArrayList<>());
    run.run(
        new ThreadLauncher(),
        StopSignal.NEVER,
        event -> {
          if (event instanceof Validated validated) {
            told.add(validated);
          }
        });
    assertThat(told).hasSize(1);
    assertThat(told.get(0).hasLoss()).isFalse();
    assertThat(told.get(0).accuracy()).isEqualTo(afterwards("run"));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "{\"prompt\": \"a\", \"choices\": [\"b\"], \"answer\": 0}",
        "{\"prompt\": \"a\", \"choices\": [\"123456789012345678901234567890123\", \"b\"], \"answer\": 0}",
        "nothing",
        ""
      })
  void aBadFileEndsTheRunBeforeItsFirstStep(String line) throws Exception {
    SmallRun run = run("run", "replay", 4, 1, 0);
    Path file = Files.writeString(questions(), line);
    List<Long> steps = Collections.synchronizedList(new ArrayList<>());
    assertThatThrownBy(
            () ->
                run.run(
                    new ThreadLauncher(),
                    StopSignal.NEVER,
                    event -> {
                      if (event instanceof StepDone done) {
                        steps.add(done.step());
                      }
                    }))
        .hasMessageContaining(line.isEmpty() ? file + ": expected at least" : file + ":1: byte ")
        .hasMessageContaining("expected");
    assertThat(steps).isEmpty();
  }
}
