package dev.kindling.worker.data;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kindling.worker.store.JsonReader;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.zip.GZIPInputStream;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Ids and texts equal to those of Python's tokenizers on 10,000 lines of code, many scripts, emoji
 * and control characters. Fixtures: {@code src/test/fixtures/make_tokenizers.py}.
 */
class TokenizerParityTest {
  private static final int LINES = 10_000;

  @TempDir private Path folder;

  private static byte[] resource(String name) throws IOException {
    try (InputStream in = TokenizerParityTest.class.getResourceAsStream("tokenizers/" + name)) {
      assertThat(in).as(name).isNotNull();
      return name.endsWith(".gz") ? new GZIPInputStream(in).readAllBytes() : in.readAllBytes();
    }
  }

  /** Split at the line feed alone: lines hold all other controls. */
  private static List<String> lines(String name) throws IOException {
    String text = new String(resource(name), StandardCharsets.UTF_8);
    List<String> lines = Arrays.asList(text.split("\n", -1));
    assertThat(lines).as(name).hasSize(LINES + 1);
    return lines.subList(0, LINES);
  }

  @ParameterizedTest
  @CsvSource({
    "bpe-gpt2,<|endoftext|>",
    "bpe-llama3,<|endoftext|>",
    "unigram,</s>",
    "wordpiece,[SEP]"
  })
  void everyLineHasTheIdsAndTheTextOfThePythonLibrary(String name, String separator)
      throws IOException {
    Path file = Files.write(folder.resolve("tokenizer.json"), resource(name + ".tokenizer.json"));
    List<String> texts = lines("lines.txt.gz");
    List<String> ids = lines(name + ".ids.gz");
    List<String> decoded = lines(name + ".decoded.gz");
    List<String> differences = new ArrayList<>();
    try (Tokenizer tokenizer =
        Tokenizer.open(new Huggingface(file.toString(), Optional.of(separator)))) {
      for (int line = 0; line < LINES; line++) {
        int[] found = tokenizer.encode(texts.get(line).getBytes(StandardCharsets.UTF_8));
        int[] expected =
            Arrays.stream(ids.get(line).split(" ", -1))
                .filter(id -> !id.isEmpty())
                .mapToInt(Integer::parseInt)
                .toArray();
        String text =
            JsonReader.read(decoded.get(line).getBytes(StandardCharsets.UTF_8), "decoded")
                .asText("line");
        if (!Arrays.equals(found, expected) || !tokenizer.decode(expected).equals(text)) {
          differences.add((line + 1) + ": " + texts.get(line));
        }
      }
    }
    assertThat(differences).isEmpty();
  }
}
