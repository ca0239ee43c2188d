package dev.kindling.driver.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.File;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HexFormat;
import java.util.List;
import java.util.Objects;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Wrong inputs through the whole command, with the exit code of the contract and its message. */
class BadInputsTest {
  private static final String CONFIG =
      """
      model: {type: llama, width: 32, layers: 1, heads: 2}
      data: {type: text, paths: ["%s"]}
      optimizer: {type: adamw, lr: 1e-3}
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

  @TempDir private Path folder;
  private final StringWriter out = new StringWriter();
  private final StringWriter err = new StringWriter();
  private Path corpus = Path.of("");
  private String config = "";
  private String run = "";

  @BeforeEach
  void write() throws IOException {
    corpus = folder.resolve("corpus.txt");
    Files.writeString(
        corpus, "a text that repeats itself, and that is all there is.\n".repeat(100));
    config = Files.writeString(folder.resolve("c.yaml"), CONFIG.formatted(corpus)).toString();
    run = folder.resolve("runs/r").toString();
  }

  private int kindling(String... words) {
    out.getBuffer().setLength(0);
    err.getBuffer().setLength(0);
    return Kindling.execute(
        new Bodies(), new PrintWriter(out, true), new PrintWriter(err, true), words);
  }

  private int train(String... sets) {
    List<String> words = new ArrayList<>(List.of("train", config, "--run-dir", run));
    for (String set : sets) {
      words.addAll(List.of("--set", set));
    }
    return kindling(words.toArray(String[]::new));
  }

  private void refused(int code, int expected, String... words) {
    assertThat(code).as(err + "\n" + out).isEqualTo(expected);
    assertThat(err.toString()).contains(words).doesNotContain("\tat ");
  }

  @Test
  void unknownKeysAndOddBatchesAreConfigurationErrors() {
    refused(train("stepz=5"), 2, "--set:1:1 stepz: unknown key", "did you mean \"steps\"?");
    refused(train("global_batch=192"), 2, "global_batch", "192");
    refused(train("sequence_length=48"), 2, "micro_batch", "48");
    assertThat(Path.of(run)).doesNotExist();
  }

  @ParameterizedTest
  @CsvSource({
    "'', byte 0: expected text; found an empty file",
    "6100620063, byte 1: expected text; found NUL",
    "61ff62, byte 1: expected",
    "c3, byte 0: expected",
  })
  void badTextIsADataError(String hexadecimal, String message) throws IOException {
    Files.write(corpus, HexFormat.of().parseHex(hexadecimal));
    refused(train(), 3, "corpus.txt", message.replace(';', ','));
  }

  @Test
  void missingDataIsADataErrorAndTheSameCommandWorksOnceItIsThere() throws IOException {
    byte[] text = Files.readAllBytes(corpus);
    Files.delete(corpus);
    refused(train(), 3, "corpus.txt: expected a file or folder, found nothing there");
    refused(kindling("resume", run), 3, "corpus.txt: expected a file or folder");
    assertThat(out.toString()).contains("has no checkpoint yet: starting at step 1");
    Files.write(corpus, text);
    assertThat(train()).as(err.toString()).isZero();
    refused(train(), 2, "already holds a run (checkpoints)", "kindling resume");
  }

  @Test
  void aConfigurationWithWhichNothingWorksDoesNotReplaceTheOneThatDid() throws IOException {
    assertThat(train()).as(err.toString()).isZero();
    String before = Files.readString(Path.of(run, "config.yaml"));
    String[] tooFewSlots = {
      "resume", run, "--set", "steps=6", "--set", "launcher=spark", "--set", "spark.master=local[1]"
    };
    refused(kindling(tooFewSlots), 2, "needs 2 slots");
    assertThat(Path.of(run, "config.yaml")).content().isEqualTo(before);
    assertThat(kindling("resume", run, "--set", "steps=6")).as(err.toString()).isZero();
    assertThat(out.toString()).contains("step 6/6");
    assertThat(Path.of(run, "config.yaml"))
        .content()
        .isEqualTo(before.replace("steps: 4", "steps: 6"));
  }

  @Test
  void noCheckpointHoldsASecret() throws IOException {
    String secret = "spark.conf={spark.authenticate.secret: s3cr3t}";
    assertThat(train(secret)).as(err.toString()).isZero();
    assertThat(err.toString()).contains("holds secrets").doesNotContain("s3cr3t");
    assertThat(out.toString()).doesNotContain("s3cr3t");
    List<Path> holding = new ArrayList<>();
    try (Stream<Path> files = Files.walk(folder)) {
      for (Path file : files.filter(Files::isRegularFile).toList()) {
        if (Files.readString(file, StandardCharsets.ISO_8859_1).contains("s3cr3t")) {
          holding.add(file);
        }
      }
    }
    assertThat(holding).containsExactly(Path.of(run, "secrets.properties"));
    assertThat(kindling("resume", run, "--set", "steps=6")).as(err.toString()).isZero();
  }

  @Test
  void moreRanksThanSlotsEndAtOnceWithBothNumbers() {
    refused(
        train("launcher=spark", "spark.master=local[1]"),
        2,
        "ranks: needs 2 slots, local[1] has 1 and never more; waited 0 s");
  }

  @Test
  void aPortInUseIsNamed() throws IOException {
    try (ServerSocket taken = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      String setting = "spark.driver.port: " + taken.getLocalPort();
      refused(
          train(
              "launcher=spark",
              "spark.master=local[2]",
              "spark.conf={"
                  + setting
                  + ", spark.port.maxRetries: 0, spark.driver.host: 127.0.0.1,"
                  + " spark.driver.bindAddress: 127.0.0.1}"),
          2,
          "port in use",
          "spark.driver.port=" + taken.getLocalPort());
    }
  }

  @Test
  void anotherTokenizerThanThatOfThePreparedSetIsADataError() throws IOException {
    assertThat(train()).as(err.toString()).isZero();
    Path prepared;
    try (Stream<Path> sets = Files.list(folder.resolve("runs/prepared"))) {
      prepared = sets.filter(set -> Files.exists(set.resolve("manifest.json"))).findFirst().get();
    }
    String tokenizer =
        """
        {"version":"1.0","truncation":null,"padding":null,"added_tokens":[],"normalizer":null,\
        "pre_tokenizer":{"type":"Whitespace"},"post_processor":null,"decoder":null,\
        "model":{"type":"WordLevel","vocab":{"[UNK]":0,"text":1,"<|endoftext|>":2},"unk_token":"[UNK]"}}
        """;
    Path file = Files.writeString(folder.resolve("tokenizer.json"), tokenizer);
    run = folder.resolve("runs/other").toString();
    refused(
        train(
            "data={type: prepared, path: " + prepared + "}",
            "tokenizer={type: huggingface, path: " + file + "}"),
        3,
        "wrong tokenizer");
  }

  /** The newest of two generations is refused with its reason and the older one used. */
  @Test
  void damagedCheckpointsAreRefusedAndChangesNamed() throws IOException {
    assertThat(train()).as(err.toString()).isZero();
    List<Path> models = files("model");
    assertThat(models).hasSizeGreaterThanOrEqualTo(2);
    Path newest = models.get(models.size() - 1);
    byte[] whole = Files.readAllBytes(newest);
    byte[] flipped = whole.clone();
    flipped[flipped.length / 2] ^= 1;
    Files.write(newest, flipped);
    assertThat(kindling("resume", run)).as(err.toString()).isZero();
    assertThat(out.toString()).contains("checkpoint refused").contains("step 4/4");
    for (Path model : files("model")) {
      Files.write(model, Arrays.copyOf(Files.readAllBytes(model), 100));
    }
    refused(kindling("resume", run), 4, "model");
    refused(kindling("resume", run, "--set", "seed=7"), 2, "seed: was 1, now 7", "--accept-change");
    refused(train(), 2, "already holds a run", "kindling resume");
  }

  private List<Path> files(String word) throws IOException {
    try (Stream<Path> walk = Files.walk(Path.of(run, "checkpoints"))) {
      return walk.filter(file -> String.valueOf(file.getFileName()).startsWith(word))
          .filter(file -> file.toString().endsWith(".safetensors"))
          .sorted(Comparator.comparing(Path::toString))
          .toList();
    }
  }

  @Test
  void aJdkThatIsTooOldIsRefusedBeforeAnythingIsBuilt() throws Exception {
    Path bin = Files.createDirectories(folder.resolve("bin"));
    Path java = bin.resolve("java");
    Files.writeString(java, "#!/bin/sh\necho 'openjdk version \"11.0.2\" 2019-01-15' >&2\n");
    assertThat(java.toFile().setExecutable(true)).isTrue();
    Path root = Path.of("").toAbsolutePath();
    while (!Files.exists(root.resolve("bin/kindling"))) {
      root = Objects.requireNonNull(root.getParent(), "no bin/kindling above");
    }
    ProcessBuilder builder = new ProcessBuilder(root.resolve("bin/kindling").toString(), "--help");
    builder.environment().remove("JAVA_HOME");
    builder.environment().put("PATH", bin + File.pathSeparator + System.getenv("PATH"));
    Process process = builder.redirectErrorStream(true).start();
    String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertThat(process.waitFor()).as(said).isEqualTo(2);
    assertThat(said).contains("needs Java 17 or newer, found 11.0.2").hasLineCount(1);
  }
}
