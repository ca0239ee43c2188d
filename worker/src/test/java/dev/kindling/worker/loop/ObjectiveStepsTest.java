package dev.kindling.worker.loop;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kindling.worker.launch.AttemptFailedException;
import dev.kindling.worker.launch.ThreadLauncher;
import dev.kindling.worker.replay.SlopeLog;
import dev.kindling.worker.replay.SlopeRecord;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Whole runs towards objectives without a gradient. */
class ObjectiveStepsTest {
  private static final String BATCHES =
      """
      steps: %d
      global_batch: 64
      micro_batch: 32
      ranks: %d
      """;

  @TempDir private Path folder;

  private SmallRun run(String name, int steps, int ranks, String objective, String... more) {
    String optimizer =
        "optimizer={type: mezo, lr: 0.002, eps: 0.02, master: true, objective: " + objective + "}";
    List<String> sets = new ArrayList<>(List.of(more));
    sets.addAll(
        List.of(
            optimizer,
            "schedule={type: constant}",
            "validation.every_steps=0",
            "checkpoint.every_steps=0"));
    String batches = String.format(BATCHES, steps, ranks);
    return SmallRun.in(folder.resolve(name), batches, sets.toArray(String[]::new));
  }

  /** The right answer is always the same word. */
  private String questions() throws IOException {
    List<String> lines = new ArrayList<>();
    for (int i = 0; i < 8; i++) {
      lines.add(
          "{\"prompt\": \"is %d odd? \", \"choices\": [\"yes\", \"no\", \"or\"], \"answer\": %d}"
              .formatted(i, 1));
    }
    return Files.write(folder.resolve("questions.jsonl"), lines).toString();
  }

  private static double mean(Map<Long, Integer> losses, long from, long to) {
    return losses.entrySet().stream()
        .filter(entry -> entry.getKey() >= from && entry.getKey() <= to)
        .mapToDouble(entry -> Float.intBitsToFloat(entry.getValue()))
        .average()
        .orElseThrow();
  }

  @Test
  void accuracyOverChoicesRises() throws Exception {
    String objective = "{type: accuracy, questions: " + questions() + ", batch: 8}";
    SmallRun run = run("accuracy", 60, 1, objective);
    Map<Long, Integer> losses = run.run(new ThreadLauncher(), StopSignal.NEVER).lossBits();
    assertThat(mean(losses, 51, 60)).isLessThan(mean(losses, 1, 10) - 0.3);
  }

  /** Counts are exact, so who asks which question does not matter; the log has the slopes. */
  @Test
  void ranksGiveTheBitsOfOneRank() throws Exception {
    String objective = "{type: accuracy, questions: " + questions() + ", batch: 5}";
    SmallRun.Outcome alone =
        run("one", 6, 1, objective).run(new ThreadLauncher(), StopSignal.NEVER);
    SmallRun.Outcome both = run("two", 6, 2, objective).run(new ThreadLauncher(), StopSignal.NEVER);
    assertThat(both.lossBits()).isEqualTo(alone.lossBits()).hasSize(6);
    SlopeLog log = SlopeLog.read(folder.resolve("one").resolve("run"));
    assertThat(log.records()).hasSize(6);
    assertThat(log.records())
        .isEqualTo(SlopeLog.read(folder.resolve("two").resolve("run")).records());
  }

  @Test
  void answersAreWrittenAndComparedByTheirWords() throws Exception {
    for (String type : List.of("f1", "exact_match")) {
      String objective =
          "{type: " + type + ", questions: " + questions() + ", batch: 2, tokens: 3}";
      Map<Long, Integer> losses =
          run(type, 2, 1, objective).run(new ThreadLauncher(), StopSignal.NEVER).lossBits();
      assertThat(losses).hasSize(2);
      assertThat(losses.values()).allMatch(bits -> Float.intBitsToFloat(bits) <= 1);
    }
  }

  /** As the loss of training data: a step without finite numbers is skipped, no weight moves. */
  @ParameterizedTest
  @ValueSource(strings = {"accuracy", "f1", "exact_match"})
  void whatIsNotFiniteIsNoWrongAnswer(String type) throws Exception {
    String words = "{type: " + type + ", questions: " + questions() + ", batch: 2";
    String objective = words + (type.equals("accuracy") ? "}" : ", tokens: 3}");
    SmallRun run = run("broken-" + type, 2, 2, objective, "model.init_std=1e38");
    Map<Long, Integer> losses = run.run(new ThreadLauncher(), StopSignal.NEVER).lossBits();
    assertThat(losses.values())
        .hasSize(2)
        .allMatch(bits -> Float.isNaN(Float.intBitsToFloat(bits)));
    assertThat(SlopeLog.read(folder.resolve("broken-" + type).resolve("run")).records())
        .hasSize(2)
        .allMatch(SlopeRecord::skipped);
  }

  @Test
  void anObjectiveWithoutItsQuestionsIsRefused() throws Exception {
    assertThatThrownBy(
            () ->
                run("none", 2, 1, "{type: accuracy, questions: " + folder + "/none.jsonl}")
                    .run(new ThreadLauncher(), StopSignal.NEVER))
        .isInstanceOf(AttemptFailedException.class)
        .hasMessageContaining("none.jsonl");
    String tooLong = "{type: f1, questions: " + questions() + ", tokens: 30}";
    assertThatThrownBy(() -> run("long", 2, 1, tooLong).run(new ThreadLauncher(), StopSignal.NEVER))
        .isInstanceOf(AttemptFailedException.class)
        .hasMessageContaining("less optimizer.objective.tokens 30");
    assertThatThrownBy(() -> run("key", 2, 1, "{type: accuracy}"))
        .hasMessageContaining("optimizer.objective.questions");
  }
}
