package dev.kindling.driver.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kindling.worker.data.BadLines;
import dev.kindling.worker.data.Bytes;
import dev.kindling.worker.data.Chat;
import dev.kindling.worker.data.DataException;
import dev.kindling.worker.data.Jsonl;
import dev.kindling.worker.data.Preparation;
import dev.kindling.worker.data.Text;
import dev.kindling.worker.data.TooLong;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;

class SparkWorkPoolTest {
  private static final long SEED = Long.getLong("seed", 11L);

  @RegisterExtension
  static final LocalSpark SPARK =
      new LocalSpark(Map.of("spark.serializer", "org.apache.spark.serializer.KryoSerializer"));

  @TempDir Path folder;

  private Path texts() throws IOException {
    Random random = new Random(SEED);
    Path texts = Files.createDirectory(folder.resolve("texts"));
    for (int k = 0; k < 12; k++) {
      // Some files above the 8 MiB at which a task's work is cut, so that there are several tasks.
      int size = k % 4 == 0 ? 9_000_000 : random.nextInt(3000) + 1;
      byte[] text = new byte[size];
      for (int i = 0; i < size; i++) {
        text[i] = (byte) ('a' + random.nextInt(26));
      }
      Files.write(texts.resolve("t" + k + ".txt"), text);
    }
    return texts;
  }

  private static Map<String, byte[]> contents(Path set) throws IOException {
    Map<String, byte[]> files = new TreeMap<>();
    try (Stream<Path> list = Files.list(set)) {
      for (Path file : list.toList()) {
        files.put(file.getFileName().toString(), Files.readAllBytes(file));
      }
    }
    return files;
  }

  @Test
  void sparkWritesTheSameBytesAsOneThread() throws IOException {
    Text data = new Text(List.of(texts().toString()), List.of(), 0.2, false);
    Preparation.prepare(data, new Bytes(), 128, folder.resolve("plain"));
    StringWriter lines = new StringWriter();
    DataJobs.prepare(
        SPARK.context(), data, new Bytes(), 128, folder.resolve("spark"), new PrintWriter(lines));
    Map<String, byte[]> plain = contents(folder.resolve("plain"));
    Map<String, byte[]> fromSpark = contents(folder.resolve("spark"));
    assertThat(plain.keySet())
        .contains("manifest.json", "train-00000.tokens", "train-00001.tokens")
        .contains("validation-00000.tokens", "documents.jsonl", "tokenizer.bin");
    assertThat(fromSpark.keySet()).isEqualTo(plain.keySet());
    plain.forEach((name, bytes) -> assertThat(fromSpark.get(name)).as(name).isEqualTo(bytes));
    assertThat(lines.toString()).contains("scan ").contains("tokenise ").contains("pack ");
  }

  @Test
  void inspectSaysWhatASetHolds() throws IOException {
    Path json = Files.writeString(folder.resolve("a.jsonl"), "{\"text\": \"hello world\\n\"}\n");
    Jsonl data = new Jsonl(List.of(json.toString()), "text", List.of(), 0, false, BadLines.FAIL);
    Preparation.prepare(data, new Bytes(), 4, folder.resolve("set"));
    StringWriter page = new StringWriter();
    DataJobs.inspect(folder.resolve("set"), new PrintWriter(page));
    assertThat(page.toString())
        .contains("3 sequences, 13 tokens, 1 documents")
        .contains("108 \"l\" 25.0%")
        .contains("sequence 0       \"hell\"");
    Path shard = folder.resolve("set/train-00000.tokens");
    byte[] bytes = Files.readAllBytes(shard);
    bytes[1] ^= 1;
    Files.write(shard, bytes);
    assertThatThrownBy(
            () -> DataJobs.inspect(folder.resolve("set"), new PrintWriter(new StringWriter())))
        .isInstanceOf(DataException.class)
        .hasMessageContaining("expected SHA-256");
  }

  @Test
  void inspectShowsWhatCountsInTheLossOfExamples() throws IOException {
    Path json =
        Files.writeString(
            folder.resolve("a.jsonl"),
            "{\"prompt\": \"1+1=\", \"completion\": \"2\"}\nnonsense\n"
                + "{\"prompt\": \"2+2=\", \"completion\": \"4\"}\n");
    Chat data =
        new Chat(
            List.of(json.toString()), Optional.empty(), TooLong.DROP, BadLines.SKIP, List.of(), 0);
    Preparation.prepare(data, new Bytes(), 15, folder.resolve("plain"));
    DataJobs.prepare(
        SPARK.context(),
        data,
        new Bytes(),
        15,
        folder.resolve("set"),
        new PrintWriter(new StringWriter()));
    Map<String, byte[]> plain = contents(folder.resolve("plain"));
    Map<String, byte[]> fromSpark = contents(folder.resolve("set"));
    assertThat(fromSpark.keySet()).isEqualTo(plain.keySet());
    plain.forEach((name, bytes) -> assertThat(fromSpark.get(name)).as(name).isEqualTo(bytes));
    StringWriter page = new StringWriter();
    DataJobs.inspect(folder.resolve("set"), new PrintWriter(page));
    assertThat(page.toString())
        .contains("left out         1 unusable line(s) skipped")
        .contains("4-7 tokens              2 ####")
        .contains("filled           75.0% of all tokens, 25.0% count")
        .contains("sequence 0       1+1=[[2\\x00]]")
        .contains("                 2+2=[[4\\x00]]");
  }

  @Test
  void badInputIsADataExceptionOfTheTaskThatMetIt() throws IOException {
    Path bad = Files.write(folder.resolve("bad.txt"), new byte[] {'a', 0});
    Text data = new Text(List.of(bad.toString()), List.of(), 0, false);
    assertThatThrownBy(
            () ->
                DataJobs.prepare(
                    SPARK.context(),
                    data,
                    new Bytes(),
                    4,
                    folder.resolve("set"),
                    new PrintWriter(new StringWriter())))
        .isInstanceOf(DataException.class)
        .hasMessageContaining("bad.txt: byte 1: expected text, found NUL");
  }
}
