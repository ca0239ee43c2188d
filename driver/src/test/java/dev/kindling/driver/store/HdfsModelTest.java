package dev.kindling.driver.store;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kindling.driver.cli.Bodies;
import dev.kindling.driver.cli.Kindling;
import dev.kindling.driver.launch.DriverProcess;
import dev.kindling.worker.event.report.MetricsLog;
import dev.kindling.worker.store.Json;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;

/**
 * Model directories, their tokenizers and files of questions on HDFS, through the whole command.
 */
class HdfsModelTest {
  @RegisterExtension static final SmallHdfs HDFS = new SmallHdfs();

  private static final String REST =
      """
      data: {type: text, paths: ["%s"], validation_fraction: 0.3}
      optimizer: {type: adamw, lr: 1e-2}
      steps: 2
      sequence_length: 32
      micro_batch: 64
      global_batch: 128
      ranks: 2
      threads: 1
      matmul: java
      launcher: threads
      """;

  private static final String TOKENIZER =
      """
      {"version":"1.0","truncation":null,"padding":null,"added_tokens":[],"normalizer":null,\
      "pre_tokenizer":{"type":"Whitespace"},"post_processor":null,"decoder":null,\
      "model":{"type":"WordLevel","vocab":{"[UNK]":0,"words":1,"<|endoftext|>":2,"line":3},\
      "unk_token":"[UNK]"}}
      """;

  @TempDir private Path folder;
  private final StringWriter out = new StringWriter();
  private final StringWriter err = new StringWriter();
  private Path local = Path.of("");
  private String remote = "";

  @BeforeEach
  void write() throws IOException {
    Path texts = Files.createDirectory(folder.resolve("texts"));
    for (int file = 0; file < 10; file++) {
      Files.writeString(
          texts.resolve(file + ".txt"), ("line " + file + " of the words in it\n").repeat(60));
    }
    Path first =
        Files.writeString(
            folder.resolve("first.yaml"),
            "model: {type: gpt2, width: 32, layers: 2, heads: 2, vocabulary: 260, context: 64}\n"
                + REST.formatted(texts));
    done("train", first.toString(), "--run-dir", run("first"), "--set", "steps=1");
    local = folder.resolve("model");
    done("export", run("first"), "--to", local.toString());
    Files.writeString(local.resolve("tokenizer.json"), TOKENIZER);
    remote = HDFS.files().makeQualified(SmallHdfs.freshRoot()).toString();
    HDFS.files()
        .copyFromLocalFile(
            new org.apache.hadoop.fs.Path(local.toString()), new org.apache.hadoop.fs.Path(remote));
    config("local.yaml", local.toString(), texts);
    config("remote.yaml", remote, texts);
  }

  private void config(String name, String model, Path texts) throws IOException {
    String line = "model: {type: huggingface, path: \"" + model + "\"}\n";
    Files.writeString(folder.resolve(name), line + REST.formatted(texts));
  }

  private int kindling(String... words) {
    out.getBuffer().setLength(0);
    err.getBuffer().setLength(0);
    return Kindling.execute(
        new Bodies(), new PrintWriter(out, true), new PrintWriter(err, true), words);
  }

  private String done(String... words) {
    assertThat(kindling(words)).as("%s\n%s", err, out).isZero();
    return out.toString();
  }

  private String run(String name) {
    return folder.resolve("runs").resolve(name).toString();
  }

  private List<String> train(String config, String name, String... sets) throws IOException {
    List<String> words = new ArrayList<>(List.of("train", folder.resolve(config).toString()));
    words.addAll(List.of("--run-dir", run(name)));
    for (String set : sets) {
      words.addAll(List.of("--set", set));
    }
    done(words.toArray(String[]::new));
    return losses(name);
  }

  private List<String> losses(String name) throws IOException {
    return MetricsLog.read(Path.of(run(name), "metrics.jsonl")).byStep().values().stream()
        .map((Json.Obj line) -> MetricsLog.text(line, "loss"))
        .toList();
  }

  private static void assertSameFiles(Path expected, Path found) throws IOException {
    try (Stream<Path> files = Files.list(expected)) {
      for (Path file : files.toList()) {
        assertThat(found.resolve(String.valueOf(file.getFileName()))).hasSameBinaryContentAs(file);
      }
    }
  }

  @Test
  void aRunBeginsFromADirectoryThereAsFromALocalOneAndOutlivesIt() throws IOException {
    List<String> expected = train("local.yaml", "local");
    assertThat(train("remote.yaml", "remote", "mesh.zero=3")).hasSameSizeAs(expected);
    assertThat(train("remote.yaml", "same")).hasSize(2).isEqualTo(expected);
    assertThat(Path.of(run("same"), "config.yaml")).content().contains("type: huggingface", remote);
    assertThat(Path.of(run("same"), "pretrained/tokenizer.json")).hasContent(TOKENIZER.strip());
    HDFS.files().delete(new org.apache.hadoop.fs.Path(remote), true);
    done("resume", run("same"), "--set", "steps=3");
    assertThat(losses("same")).hasSize(3);
    done("generate", run("same"), "--prompt", "words", "--tokens", "2");
  }

  @Test
  void itIsExportedGeneratedFromAndEvaluated() throws IOException {
    done("export", remote, "--to", folder.resolve("again").toString());
    assertSameFiles(local, folder.resolve("again"));
    String[] prompt = {"--prompt", "line words", "--tokens", "4", "--seed", "3"};
    String written = done(words(new String[] {"generate", local.toString()}, prompt));
    assertThat(done(words(new String[] {"generate", remote}, prompt))).isEqualTo(written);
    String[] data = {"--data", folder.resolve("texts/1.txt").toString()};
    String judged = done(words(new String[] {"eval", local.toString()}, data));
    assertThat(done(words(new String[] {"eval", remote}, data)))
        .isEqualTo(judged.replace(local.toString(), remote))
        .contains("loss ");
  }

  @Test
  void questionsMayLieThereToo() throws IOException {
    org.apache.hadoop.fs.Path file = new org.apache.hadoop.fs.Path(remote, "questions.jsonl");
    try (var stream = HDFS.files().create(file)) {
      stream.write(
          "{\"prompt\": \"line\", \"choices\": [\"words\", \"line\"], \"answer\": 0}\n"
              .getBytes(StandardCharsets.UTF_8));
    }
    train("remote.yaml", "asked", "validation.choices=" + file, "validation.every_steps=1");
    MetricsLog log = MetricsLog.read(Path.of(run("asked"), "metrics.jsonl"));
    assertThat(log.accuracy()).containsOnlyKeys(1L, 2L);
  }

  @Test
  @Tag("long")
  void aTrainerOfSparkMlHasItsRunThere() throws Exception {
    String fitted = remote + "/fitted";
    List<String> words = List.of("dev.kindling.driver.ml.FitProgram", fitted);
    try (DriverProcess program = DriverProcess.startIn(folder, folder, words)) {
      assertThat(program.await(180)).as(program.text()).isZero();
      assertThat(program.text()).contains("fitted 3");
    }
    assertThat(HDFS.files().exists(new org.apache.hadoop.fs.Path(fitted, "metrics.jsonl")))
        .isTrue();
    done("generate", fitted, "--prompt", "a text", "--tokens", "2");
  }

  @Test
  void whatIsNotThereIsNamedWithItsUri() throws IOException {
    String[] generate = {"generate", remote + "-no", "--prompt", "x"};
    assertThat(kindling(generate)).as("%s\n%s", err, out).isEqualTo(4);
    assertThat(err.toString()).contains(remote + "-no: expected a run folder with a checkpoint or");
    HDFS.files().delete(new org.apache.hadoop.fs.Path(remote, "model.safetensors"), false);
    String[] train = {"train", folder.resolve("remote.yaml").toString(), "--run-dir", run("none")};
    assertThat(kindling(train)).as("%s\n%s", err, out).isEqualTo(4);
    assertThat(err.toString()).contains(remote + ": expected model.safetensors or");
  }

  private static String[] words(String[] first, String[] then) {
    return Stream.of(first, then).flatMap(Stream::of).toArray(String[]::new);
  }
}
