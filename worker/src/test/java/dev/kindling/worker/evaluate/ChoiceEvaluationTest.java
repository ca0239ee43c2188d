package dev.kindling.worker.evaluate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kindling.kernels.backend.Backend;
import dev.kindling.kernels.backend.CpuOptions;
import dev.kindling.kernels.backend.MatmulKind;
import dev.kindling.worker.data.BadLines;
import dev.kindling.worker.data.Bytes;
import dev.kindling.worker.data.DataException;
import dev.kindling.worker.data.Tokenizer;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** A planted model: the letter after a letter is likely, anything else equally unlikely. */
class ChoiceEvaluationTest {
  private final Backend backend = Backend.cpu(new CpuOptions(1, MatmulKind.JAVA));
  private final Tokenizer tokenizer = Tokenizer.open(new Bytes());
  private final List<String> notices = new ArrayList<>();
  private final List<ChoiceScore> progress = new ArrayList<>();

  @TempDir private Path folder;

  @AfterEach
  void close() {
    backend.close();
  }

  private ChoiceScore evaluate(BadLines badLines, String... lines) throws IOException {
    Path file = folder.resolve("q.jsonl");
    Files.write(file, List.of(lines), StandardCharsets.UTF_8);
    try (Scorer scorer =
        PlantedModel.of((before, token) -> token == before + 1 ? 4 : 0, 32, backend)) {
      return new ChoiceEvaluation(scorer, tokenizer, progress::add)
          .of(file, badLines, notices::add);
    }
  }

  @Test
  void thePlantedModelKnowsTheAlphabet() throws IOException {
    ChoiceScore score =
        evaluate(
            BadLines.FAIL,
            "{\"prompt\": \"abc\", \"choices\": [\"xyy\", \"def\"], \"answer\": 1}",
            "{\"prompt\": \"abc\", \"choices\": [\"def\", \"xyy\"], \"answer\": \"def\"}",
            "",
            "{\"prompt\": \"klm\", \"choices\": [\"a\", \"b\", \"n\"], \"answer\": 0, \"id\": 7}");
    assertThat(score).isEqualTo(new ChoiceScore(3, 2, 2, 0));
    assertThat(score.accuracyByMean()).isEqualTo(2 / 3.0);
    assertThat(progress).hasSize(3);
  }

  /**
   * Short and wrong: ln(p) of one unlikely byte, about -5.7. Long and mostly right: one unlikely
   * byte and four likely ones of about -1.7 each, so a lower sum and a higher mean.
   */
  @Test
  void sumAndMeanDifferWhereLengthsDo() throws IOException {
    ChoiceScore score =
        evaluate(
            BadLines.FAIL,
            "{\"prompt\": \"a\", \"choices\": [\"z\", \"klmno\"], \"answer\": \"klmno\"}",
            "{\"prompt\": \"a\", \"choices\": [\"z\", \"klmno\"], \"answer\": \"z\"}",
            "{\"prompt\": \"\", \"choices\": [\"klmno\", \"z\"], \"answer\": \"klmno\"}");
    assertThat(score).isEqualTo(new ChoiceScore(3, 2, 1, 0));
  }

  @Test
  void equalScoresTakeTheFirst() throws IOException {
    String question = "{\"prompt\": \"a\", \"choices\": [\"x\", \"z\"], \"answer\": %d}";
    assertThat(evaluate(BadLines.FAIL, question.formatted(0)).rightByMean()).isEqualTo(1);
    assertThat(evaluate(BadLines.FAIL, question.formatted(1)).rightByMean()).isZero();
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        "{\"prompt\": \"a\", \"choices\": [\"x\", \"z\"], \"answer\": 2} | answer",
        "{\"prompt\": \"a\", \"choices\": [\"x\", \"z\"], \"answer\": -1} | answer",
        "{\"prompt\": \"a\", \"choices\": [\"x\", \"z\"], \"answer\": \"y\"} | expected one of the choices, found \"y\"",
        "{\"prompt\": \"a\", \"choices\": [\"x\", \"z\"]} | expected key answer, found none",
        "{\"prompt\": \"a\", \"choices\": [\"x\"], \"answer\": 0} | expected at least 2 texts, found 1",
        "{\"prompt\": \"a\", \"choices\": [\"x\", \"x\"], \"answer\": 0} | found \"x\" twice",
        "{\"prompt\": \"a\", \"choices\": [\"x\", \"\"], \"answer\": 0} | choices: expected text, found none",
        "{\"prompt\": \"a\", \"choices\": [\"x\", 3], \"answer\": 0} | choices: expected a string",
        "{\"prompt\": \"a\", \"choices\": \"xy\", \"answer\": 0} | choices: expected a list",
        "{\"prompt\": 1, \"choices\": [\"x\", \"y\"], \"answer\": 0} | prompt: expected a string",
        "{\"choices\": [\"x\", \"y\"], \"answer\": 0} | expected key prompt, found none",
        "{\"prompt\": \"a\", \"choices\": [\"123456789012345678901234567890123\", \"y\"], \"answer\": 0} | continuation of 1 to 32 tokens, found 33",
        "no JSON | expected",
      })
  void badQuestionsAreNamedAndSkippedOrFatal(String line, String message) throws IOException {
    String good = "{\"prompt\": \"a\", \"choices\": [\"b\", \"z\"], \"answer\": 0}";
    assertThatThrownBy(() -> evaluate(BadLines.FAIL, good, line))
        .isInstanceOf(DataException.class)
        .hasMessageStartingWith(folder.resolve("q.jsonl") + ":2: byte ")
        .hasMessageContaining(message);
    assertThat(evaluate(BadLines.SKIP, good, line, good)).isEqualTo(new ChoiceScore(2, 2, 2, 1));
    assertThat(notices).hasSize(1);
    assertThat(notices.get(0)).contains("q.jsonl:2: ").contains(message);
  }

  @Test
  void aFileWithoutQuestionsIsRefused() {
    assertThatThrownBy(() -> evaluate(BadLines.SKIP, "", "nothing"))
        .isInstanceOf(DataException.class)
        .hasMessageEndingWith("q.jsonl: expected at least one question, found none");
  }
}
