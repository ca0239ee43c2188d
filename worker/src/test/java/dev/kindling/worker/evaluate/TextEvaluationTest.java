package dev.kindling.worker.evaluate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.kindling.kernels.backend.Backend;
import dev.kindling.kernels.backend.CpuOptions;
import dev.kindling.kernels.backend.MatmulKind;
import dev.kindling.worker.data.BadLines;
import dev.kindling.worker.data.Bytes;
import dev.kindling.worker.data.Chat;
import dev.kindling.worker.data.DataException;
import dev.kindling.worker.data.Preparation;
import dev.kindling.worker.data.Text;
import dev.kindling.worker.data.TokenShards;
import dev.kindling.worker.data.Tokenizer;
import dev.kindling.worker.data.TooLong;
import dev.kindling.worker.data.WorkPool;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TextEvaluationTest {
  private static final int CONTEXT = 40;
  private static final double UNIFORM = Math.log(256);

  private final Backend backend = Backend.cpu(new CpuOptions(1, MatmulKind.JAVA));
  private final Tokenizer tokenizer = Tokenizer.open(new Bytes());
  private final List<String> notices = new ArrayList<>();
  private final List<Loss> progress = new ArrayList<>();

  @TempDir private Path folder;

  @AfterEach
  void close() {
    backend.close();
  }

  /** A token that is the one before it plus one has 3 nats more than any other. */
  private static double rising(int before, int token) {
    return token == (before + 1) % 256 ? 3 : 0;
  }

  private static final double RISE = Math.log(Math.exp(3) + 255) - 3;
  private static final double OTHER = Math.log(Math.exp(3) + 255);

  private TextLoss evaluate(Path data, BadLines badLines) {
    try (Scorer scorer = PlantedModel.of(TextEvaluationTest::rising, CONTEXT, backend)) {
      return new TextEvaluation(scorer, tokenizer, progress::add)
          .of(data, "text", badLines, notices::add);
    }
  }

  private Path write(String name, String text) throws IOException {
    return Files.writeString(folder.resolve(name), text, StandardCharsets.UTF_8);
  }

  @Test
  void everyTokenOfATextCountsOnce() throws IOException {
    String text = "abcdefgh!".repeat(30);
    TextLoss found = evaluate(write("a.txt", text), BadLines.FAIL);
    assertThat(found.loss().tokens()).isEqualTo(270);
    assertThat(found.bytes()).isEqualTo(270);
    double expected = 30 * (7 * RISE + 2 * OTHER);
    assertThat(found.loss().nats()).isEqualTo(expected, within(1e-3));
    assertThat(found.perplexity()).isEqualTo(Math.exp(expected / 270), within(1e-4));
    assertThat(found.bitsPerByte()).isEqualTo(expected / 270 / Math.log(2), within(1e-5));
    assertThat(progress).hasSize(7).last().isEqualTo(found.loss());
    assertThat(progress).extracting(Loss::tokens).startsWith(40L, 80L);
  }

  @Test
  void aUniformModelHasThePerplexityOfItsVocabulary() throws IOException {
    try (Scorer scorer = PlantedModel.uniform(CONTEXT, backend)) {
      TextLoss found =
          new TextEvaluation(scorer, tokenizer, progress::add)
              .of(
                  write("a.txt", "any text \u00e9\n".repeat(9)),
                  "text",
                  BadLines.FAIL,
                  notices::add);
      assertThat(found.loss().mean()).isEqualTo((double) (float) UNIFORM, within(1e-6));
      assertThat(found.perplexity()).isEqualTo(256, within(1e-3));
      assertThat(found.bitsPerByte()).isEqualTo(8, within(1e-5));
      assertThat(found.bytes()).isEqualTo(12 * 9);
    }
  }

  @Test
  void eachJsonLineIsADocument() throws IOException {
    Path file = write("a.jsonl", "{\"text\": \"ab\"}\n\n{\"id\": 3, \"text\": \"xyz\"}");
    TextLoss found = evaluate(file, BadLines.FAIL);
    assertThat(found.loss().tokens()).isEqualTo(5);
    assertThat(found.loss().nats()).isEqualTo(2 * OTHER + 3 * RISE, within(1e-4));
    assertThat(found.skipped()).isZero();
  }

  @Test
  void badLinesAreNamedAndSkippedOrFatal() throws IOException {
    Path file =
        write(
            "a.jsonl",
            "{\"text\": \"ab\"}\n{\"text\": 5}\n{\"tex\n[1]\n{\"body\": \"x\"}\n{\"text\": \"\"}\n");
    assertThatThrownBy(() -> evaluate(file, BadLines.FAIL))
        .isInstanceOf(DataException.class)
        .hasMessage(file + ":2: byte 9: text: expected a string, found num");
    TextLoss found = evaluate(file, BadLines.SKIP);
    assertThat(found.loss().tokens()).isEqualTo(2);
    assertThat(found.skipped()).isEqualTo(5);
    assertThat(notices).hasSize(5);
    assertThat(notices.get(0)).startsWith("skipped " + file + ":2: byte 9: ");
    assertThat(notices.get(1)).startsWith("skipped " + file + ":3: byte ");
    assertThat(notices.get(2))
        .isEqualTo("skipped " + file + ":4: byte 0: line: expected an object, found arr");
    assertThat(notices.get(3)).contains(":5: byte 0: expected key text, found none");
    assertThat(notices.get(4)).contains(":6: ").contains("text: expected text, found none");
  }

  @Test
  void whatHoldsNoTextIsRefused() throws IOException {
    assertRefused(folder.resolve("none.txt"), "none.txt: cannot be read");
    assertRefused(write("empty.txt", ""), "empty.txt: expected text, found no token to predict");
    assertRefused(write("empty.jsonl", "\n\n"), "expected text, found no token to predict");
    assertRefused(folder, "expected a prepared set (data prepare), found no manifest.json");
    Path binary = folder.resolve("binary.txt");
    Files.write(binary, new byte[] {'a', 'b', (byte) 0xFF, 'c'});
    assertRefused(binary, "binary.txt: byte 2: expected UTF-8 text");
    Files.writeString(binary, "long enough to be decoded in pieces ".repeat(600) + "\0");
    assertRefused(binary, "binary.txt: byte 21600: expected text, found NUL (a binary file?)");
    assertRefused(
        write("nul.jsonl", "{\"text\": \"a\\u0000b\"}"), "text: expected text, found NUL in it");
    Path lines = folder.resolve("binary.jsonl");
    Files.write(lines, new byte[] {'"', (byte) 0xFF, '"', '\n'});
    assertRefused(lines, "binary.jsonl:1: byte ");
  }

  private void assertRefused(Path data, String message) {
    assertThatThrownBy(() -> evaluate(data, BadLines.FAIL))
        .isInstanceOf(DataException.class)
        .hasMessageContaining(message);
  }

  /** Separators are predicted, the first tokens behind them only where documents are not masked. */
  @Test
  void aPreparedSetIsReadAsTrainingReadsIt() throws IOException {
    Path texts = Files.createDirectory(folder.resolve("texts"));
    Path held = Files.createDirectory(folder.resolve("held"));
    Files.writeString(texts.resolve("t.txt"), "no matter ".repeat(20));
    Files.writeString(held.resolve("a.txt"), "abcd");
    Files.writeString(held.resolve("b.txt"), "pqrstu");
    for (boolean mask : new boolean[] {false, true}) {
      Text spec = new Text(List.of(texts.toString()), List.of(held.toString()), 0, mask);
      TokenShards shards =
          Preparation.prepareBelow(
              spec,
              new Bytes(),
              10,
              folder.resolve("prepared"),
              WorkPool.sequential((phase, done, total) -> {}));
      TextLoss found = evaluate(shards.folder(), BadLines.FAIL);
      // One record of a b c d 0 p q r s t u: ten targets, of them "0" and "p" no rises.
      assertThat(found.loss().tokens()).isEqualTo(mask ? 9 : 10);
      double expected = 8 * RISE + (mask ? 1 : 2) * OTHER;
      assertThat(found.loss().nats()).isEqualTo(expected, within(1e-4));
      assertThat(found.bytes()).isEqualTo(8);
    }
  }

  /** Of two pairs only completions and the separators behind them: s t 0 and y z 0. */
  @Test
  void ofExamplesOnlyTheAnswersCount() throws IOException {
    Path pairs =
        write(
            "pairs.jsonl",
            "{\"prompt\": \"pqr\", \"completion\": \"st\"}\n"
                + "{\"prompt\": \"a\", \"completion\": \"yz\"}\n");
    Chat spec =
        new Chat(
            List.of(pairs.toString()),
            Optional.empty(),
            TooLong.DROP,
            dev.kindling.worker.data.BadLines.FAIL,
            List.of(),
            0);
    TokenShards shards =
        Preparation.prepareBelow(
            spec,
            new Bytes(),
            12,
            folder.resolve("prepared"),
            WorkPool.sequential((phase, done, total) -> {}));
    TextLoss found = evaluate(shards.folder(), BadLines.FAIL);
    assertThat(found.loss().tokens()).isEqualTo(6);
    assertThat(found.loss().nats()).isEqualTo(3 * RISE + 3 * OTHER, within(1e-4));
  }
}
