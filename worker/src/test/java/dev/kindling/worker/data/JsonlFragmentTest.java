package dev.kindling.worker.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kindling.worker.store.Json;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class JsonlFragmentTest {
  private static final long SEED = Long.getLong("seed", 3L);

  @TempDir Path folder;

  private static List<String> read(Path file, long start, long end) {
    List<String> texts = new ArrayList<>();
    new JsonlFragment(file.toString(), "f", new TextMember("text"), BadLines.FAIL, start, end)
        .read((name, utf8) -> texts.add(new String(utf8, StandardCharsets.UTF_8)));
    return texts;
  }

  @Test
  void rangesCutAnywhereGiveEachLineOnce() throws IOException {
    Random random = new Random(SEED);
    StringBuilder json = new StringBuilder();
    List<String> expected = new ArrayList<>();
    for (int k = 0; k < 40; k++) {
      // One line is longer than the reader's window of 1 MiB.
      String text = "\u00e9" + k + "x".repeat(k == 20 ? 3_000_000 : random.nextInt(30));
      expected.add(text);
      json.append("{\"id\": ")
          .append(k)
          .append(", \"text\": ")
          .append(Json.ascii(text))
          .append('}');
      json.append(k == 39 ? "" : k % 7 == 0 ? "\r\n\n" : "\n");
    }
    Path file = Files.writeString(folder.resolve("f.jsonl"), json);
    long size = Files.size(file);
    assertThat(read(file, 0, size)).isEqualTo(expected);
    for (int trial = 0; trial < 60; trial++) {
      long a = trial < 30 ? random.nextInt(700) : (long) (random.nextDouble() * size);
      long b = a + (long) (random.nextDouble() * (size - a));
      List<String> joined = new ArrayList<>(a == 0 ? List.of() : read(file, 0, a));
      if (b > a) {
        joined.addAll(read(file, a, b));
      }
      if (size > b) {
        joined.addAll(read(file, b, size));
      }
      assertThat(joined).as("seed %d cuts %d %d", SEED, a, b).isEqualTo(expected);
    }
  }

  @Test
  void wrongLinesAreNamedWithTheirOffset() throws IOException {
    expectFault(
        "{\"text\": \"a\"}\n{\"text\": 3}\n",
        "bad.jsonl:2: byte 14: expected an object with a text");
    expectFault("{\"text\": \"a\"}\n{\"txt\": \"b\"}\n", "member \"text\", found members [txt]");
    expectFault("{\"text\": \"a\"}\nhello\n", "byte 14: not JSON: expected a value, found 'h'");
    expectFault(
        "{\"text\": \"a\"}\n{\"text\": \"b",
        "byte 25: not JSON: expected the end of the string, found the end");
    expectFault("{\"text\": \"a\\u0000b\"}\n", "byte 0: expected text, found NUL in it");
    expectFault(
        "{\"text\": \"a\", \"text\": \"b\"}\n", "byte 14: not JSON: duplicate key \"text\"");
    expectFault("[\"text\"]\n", "found no object");
  }

  private void expectFault(String content, String message) throws IOException {
    Path file = Files.writeString(folder.resolve("bad.jsonl"), content);
    Jsonl spec = new Jsonl(List.of(file.toString()), "text", List.of(), 0, false, BadLines.FAIL);
    assertThatThrownBy(() -> Preparation.prepare(spec, new Bytes(), 2, folder.resolve("bad")))
        .isInstanceOf(DataException.class)
        .hasMessageContaining("bad.jsonl")
        .hasMessageContaining(message);
  }

  @Test
  void skippedLinesAreCountedAndNamedWithTheirNumber() throws IOException {
    String content =
        "{\"text\": \"good one\"}\n\nhello\n{\"text\": 3}\r\n{\"text\": \"good two\"}\n"
            + "{\"text\": \"\u00e9\n{\"text\": \"last\"}";
    Path file = Files.writeString(folder.resolve("mixed.jsonl"), content);
    byte[] bytes = Files.readAllBytes(file);
    // Half a character: not UTF-8.
    int at = content.indexOf('\u00e9');
    bytes[at + 1] = 'x';
    Files.write(file, bytes);
    Jsonl spec = new Jsonl(List.of(file.toString()), "text", List.of(), 0, false, BadLines.SKIP);
    TokenShards shards = Preparation.prepare(spec, new Bytes(), 2, folder.resolve("skip"));
    assertThat(shards.manifest().leftOut()).isEqualTo(new LeftOut(3, 0, 0));
    assertThat(shards.part(SplitName.TRAIN).documents()).isEqualTo(3);
    assertThat(Files.readAllLines(shards.folder().resolve(TokenShards.LEFT_OUT)))
        .hasSize(3)
        .satisfies(lines -> assertThat(lines.get(0)).contains("mixed.jsonl:3: byte 22: not JSON"))
        .satisfies(lines -> assertThat(lines.get(1)).contains("mixed.jsonl:4: ", "member \"text\""))
        .satisfies(lines -> assertThat(lines.get(2)).contains("mixed.jsonl:6: ", "UTF-8"));
    shards.verify();
  }
}
