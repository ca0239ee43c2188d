package dev.kindling.driver.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kindling.worker.event.report.MetricsLog;
import dev.kindling.worker.store.Json;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** From a run to a model directory, and from there to another run, through the whole command. */
class PretrainedRunTest {
  private static final String RUN =
      """
      model: {type: gpt2, width: 32, layers: 2, heads: 2, vocabulary: 260, context: 64}
      """;

  private static final String REST =
      """
      data: {type: text, paths: ["%s"], validation_fraction: 0.3}
      optimizer: {type: adamw, lr: 1e-2}
      validation: {every_steps: 1, batches: 2}
      steps: 4
      sequence_length: 32
      micro_batch: 64
      global_batch: 128
      ranks: 2
      threads: 1
      matmul: java
      checkpoint: {every_steps: 2}
      launcher: threads
      """;

  private static final String TOKENIZER =
      """
      {"version":"1.0","truncation":null,"padding":null,"added_tokens":[],"normalizer":null,\
      "pre_tokenizer":{"type":"Whitespace"},"post_processor":null,"decoder":null,\
      "model":{"type":"WordLevel","vocab":{"[UNK]":0,"words":1,"<|endoftext|>":2,"line":3},\
      "unk_token":"[UNK]"}}
      """;

  /** Of such steps no weight notices anything. */
  private static final String STILL = "optimizer.lr=1e-30";

  @TempDir private Path folder;
  private final StringWriter out = new StringWriter();
  private final StringWriter err = new StringWriter();
  private Path first = Path.of("");
  private Path second = Path.of("");
  private Path model = Path.of("");

  @BeforeEach
  void write() throws IOException {
    Path texts = Files.createDirectory(folder.resolve("texts"));
    for (int file = 0; file < 10; file++) {
      Files.writeString(
          texts.resolve(file + ".txt"), ("line " + file + " of the words in it\n").repeat(60));
    }
    model = folder.resolve("model");
    first = Files.writeString(folder.resolve("first.yaml"), RUN + REST.formatted(texts));
    String pretrained = "model: {type: huggingface, path: " + model + "}\n";
    second = Files.writeString(folder.resolve("second.yaml"), pretrained + REST.formatted(texts));
  }

  private int kindling(String... words) {
    out.getBuffer().setLength(0);
    err.getBuffer().setLength(0);
    return Kindling.execute(
        new Bodies(), new PrintWriter(out, true), new PrintWriter(err, true), words);
  }

  private void done(String... words) {
    assertThat(kindling(words)).as("%s\n%s", err, out).isZero();
  }

  private String run(String name) {
    return folder.resolve("runs").resolve(name).toString();
  }

  private void train(Path config, String name, String... sets) {
    done(words(config, name, sets));
  }

  private String[] words(Path config, String name, String... sets) {
    List<String> words = new ArrayList<>(List.of("train", config.toString(), "--run-dir"));
    words.add(run(name));
    for (String set : sets) {
      words.addAll(List.of("--set", set));
    }
    return words.toArray(String[]::new);
  }

  private void export(Object from, Path to, String... more) {
    List<String> words = new ArrayList<>(List.of("export", from.toString(), "--to"));
    words.add(to.toString());
    words.addAll(List.of(more));
    done(words.toArray(String[]::new));
  }

  /** The loss over the validation texts after a step, as it was logged. */
  private String validation(String name, long step) throws IOException {
    MetricsLog log = MetricsLog.read(Path.of(run(name), "metrics.jsonl"));
    return MetricsLog.text(Objects.requireNonNull(log.validation().get(step)), "val_loss");
  }

  private static void assertSameFiles(Path expected, Path found) throws IOException {
    try (Stream<Path> files = Files.list(expected)) {
      for (Path file : files.toList()) {
        assertThat(found.resolve(String.valueOf(file.getFileName()))).hasSameBinaryContentAs(file);
      }
    }
  }

  @Test
  void aRunGoesOnWhereItsSourceEnded() throws IOException {
    train(first, "first");
    export(run("first"), model);
    train(second, "second", STILL, "steps=2", "seed=9");
    assertThat(validation("second", 1))
        .isEqualTo(validation("first", 4))
        .isNotEqualTo(validation("first", 3));
    assertThat(Path.of(run("second"), "config.yaml"))
        .content()
        .contains("type: huggingface\n  path: " + model + "\n  sha256: ")
        .contains("  family:\n    type: gpt2\n    width: 32\n");
    export(run("second"), folder.resolve("again"));
    assertSameFiles(model, folder.resolve("again"));
    // Two ranks that hold half of each matrix end there too, after a change of type and back.
    export(model, folder.resolve("narrow"), "--dtype", "bfloat16");
    String narrow = "model.path=" + folder.resolve("narrow");
    String[] spark = {"launcher=spark", "spark.master=local[2]"};
    train(second, "third", STILL, "steps=1", "mesh.zero=3", narrow, spark[0], spark[1]);
    assertThat(validation("third", 1)).isNotEqualTo(validation("first", 4));
    export(run("third"), folder.resolve("third"));
    assertSameFiles(folder.resolve("narrow"), folder.resolve("third"));
  }

  @Test
  void aRunOutlivesItsModelDirectory() throws IOException {
    train(first, "first", "steps=1");
    export(run("first"), model);
    Files.writeString(model.resolve("tokenizer.json"), TOKENIZER);
    Files.writeString(model.resolve("generation_config.json"), "{\"do_sample\": true}\n");
    done("explain", second.toString());
    assertThat(out.toString())
        .containsPattern("model\\.family\\.type +gpt2 ")
        .containsPattern("tokenizer\\.type +huggingface ");
    train(second, "second", STILL, "steps=2");
    Path gone = Files.move(model, folder.resolve("gone"));
    done("resume", run("second"), "--set", "steps=3");
    assertThat(out.toString()).contains("step 3/3");
    done("generate", run("second"), "--prompt", "words", "--tokens", "2");
    export(run("second"), folder.resolve("again"));
    assertSameFiles(gone, folder.resolve("again"));
    done("generate", folder.resolve("again").toString(), "--prompt", "words", "--tokens", "2");
  }

  private void refused(int expected, String[] words, String... messages) {
    assertThat(kindling(words)).as("%s\n%s", err, out).isEqualTo(expected);
    assertThat(err.toString()).contains(messages).doesNotContain("\tat ");
  }

  @Test
  void brokenDirectoriesAreCheckpointErrors() throws IOException {
    refused(4, words(second, "none"), model + ": expected a model directory, found no config.json");
    train(first, "first", "steps=1");
    export(run("first"), model);
    String[] longer = {"sequence_length=128", "micro_batch=128", "global_batch=256"};
    refused(2, words(second, "long", longer), "sequence_length: expected at most model.context 64");
    Files.writeString(model.resolve("tokenizer.json"), vocabulary(300));
    refused(4, words(second, "wide"), "vocab_size: expected at least the 300 tokens", "found 260");
    Files.delete(model.resolve("tokenizer.json"));
    Path config = model.resolve("config.json");
    String text = Files.readString(config);
    Files.writeString(config, text.replace("\"gpt2\"", "\"mamba\""));
    refused(4, words(second, "other"), config + ": model_type: expected gpt2", "found mamba");
    Files.writeString(config, text);
    Path weights = model.resolve("model.safetensors");
    byte[] bytes = Files.readAllBytes(weights);
    byte[] spoiled = bytes.clone();
    ByteBuffer.wrap(spoiled).order(ByteOrder.LITTLE_ENDIAN).putFloat(bytes.length - 4, Float.NaN);
    Files.write(weights, spoiled);
    refused(4, words(second, "nan"), weights + ": tensor ", "expected a finite number, found NaN");
    // The same run folder with what is right again, then with something else than it began with.
    Files.write(weights, bytes);
    refused(4, new String[] {"resume", run("nan")}, "model.sha256", "the directory changed");
    train(second, "nan", "steps=1");
    refused(
        2,
        new String[] {"export", folder.toString(), "--to", folder.resolve("x").toString()},
        "holds no run (no config.yaml) and no model (no config.json)");
    refused(
        2, new String[] {"export", run("nan"), "--to", "x", "--dtype", "int8"}, "--dtype", "int8");
  }

  private static String vocabulary(int tokens) {
    Json.Building words = Json.object().put("[UNK]", 0).put("<|endoftext|>", 1);
    for (int i = 2; i < tokens; i++) {
      words.put("w" + i, i);
    }
    String few = "{\"[UNK]\":0,\"words\":1,\"<|endoftext|>\":2,\"line\":3}";
    String many = new String(words.build().bytes(), StandardCharsets.UTF_8);
    assertThat(TOKENIZER).contains(few);
    return TOKENIZER.replace(few, many);
  }
}
