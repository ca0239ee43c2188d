package dev.kindling.driver.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.kindling.worker.event.report.MetricsLog;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Adapters on a model directory through the whole command: train, export, merge, go on. */
class AdapterCommandTest {
  private static final String RUN =
      """
      model: {type: llama, width: 32, layers: 2, heads: 2, vocabulary: 256, context: 64}
      """;

  private static final String REST =
      """
      data: {type: text, paths: ["%s"], validation_fraction: 0.3}
      optimizer: {type: adamw, lr: 1e-2}
      validation: {every_steps: 1, batches: 2}
      steps: 3
      sequence_length: 32
      micro_batch: 64
      global_batch: 64
      threads: 1
      matmul: java
      launcher: threads
      """;

  private static final String LORA = "adapter={type: lora, rank: 4, alpha: 16, dropout: 0.1}";

  @TempDir private Path folder;
  private final StringWriter out = new StringWriter();
  private final StringWriter err = new StringWriter();
  private Path base = Path.of("");
  private Path model = Path.of("");
  private Path texts = Path.of("");

  @BeforeEach
  void write() throws IOException {
    texts = Files.createDirectory(folder.resolve("texts"));
    for (int file = 0; file < 10; file++) {
      Files.writeString(
          texts.resolve(file + ".txt"), ("line " + file + " of the words in it\n").repeat(60));
    }
    model = folder.resolve("model");
    base = Files.writeString(folder.resolve("base.yaml"), RUN + REST.formatted(texts));
    done("train", base.toString(), "--run-dir", run("base"));
    done("export", run("base"), "--to", model.toString());
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

  /** A run on the model of a directory. */
  private String[] words(String name, Path directory, String... sets) throws IOException {
    String pretrained = "model: {type: huggingface, path: " + directory + "}\n";
    Path config = folder.resolve(name + ".yaml");
    Files.writeString(config, pretrained + REST.formatted(texts));
    List<String> words =
        new ArrayList<>(List.of("train", config.toString(), "--run-dir", run(name)));
    for (String set : sets) {
      words.addAll(List.of("--set", set));
    }
    return words.toArray(String[]::new);
  }

  private float validation(String name, long step) throws IOException {
    MetricsLog log = MetricsLog.read(Path.of(run(name), "metrics.jsonl"));
    String text = MetricsLog.text(Objects.requireNonNull(log.validation().get(step)), "val_loss");
    return Float.parseFloat(text);
  }

  @Test
  void anAdapterIsExportedMergedAndTakenUpAgain() throws IOException {
    done(words("lora", model, LORA));
    float learnt = validation("lora", 3);
    assertThat(learnt).isLessThan(validation("lora", 1));

    Path adapter = folder.resolve("adapter");
    done("export", run("lora"), "--to", adapter.toString());
    assertThat(out.toString()).contains("wrote the adapter of step 3");
    assertThat(adapter.resolve("adapter_config.json"))
        .content()
        .contains("\"peft_type\":\"LORA\"")
        .contains("\"r\":4")
        .contains("\"lora_alpha\":16")
        .contains("\"q_proj\"");
    assertThat(adapter.resolve("adapter_model.safetensors")).exists();

    String half = folder.resolve("half").toString();
    assertThat(kindling("export", run("lora"), "--to", half, "--dtype", "bfloat16")).isEqualTo(2);
    assertThat(err.toString()).contains("--dtype: expected none for the adapter of a run");
    assertThat(Path.of(half)).doesNotExist();

    Path merged = folder.resolve("merged");
    done("export", run("lora"), "--to", merged.toString(), "--merge");
    String still = "optimizer.lr=1e-30";
    done(words("merged", merged, still));
    assertThat(validation("merged", 1)).isCloseTo(learnt, within(1e-5f));
    done(words("again", model, "adapter={type: lora, path: " + adapter + "}", still));
    assertThat(validation("again", 1)).isEqualTo(learnt);
    assertThat(Path.of(run("again"), "config.yaml")).content().contains("rank: 4");

    done("generate", run("lora"), "--prompt", "line ", "--tokens", "8", "--temperature", "0");
    String fromRun = out.toString();
    done("generate", merged.toString(), "--prompt", "line ", "--tokens", "8", "--temperature", "0");
    assertThat(out.toString().lines().findFirst()).isEqualTo(fromRun.lines().findFirst());
  }

  @Test
  void aChangedBaseAndAnAdapterThatDoesNotFitAreRefused() throws IOException {
    done(words("lora", model, LORA, "steps=2"));
    Path adapter = folder.resolve("adapter");
    done("export", run("lora"), "--to", adapter.toString());
    done("export", run("lora"), "--to", folder.resolve("merged").toString(), "--merge");
    String path = "path: " + adapter;
    assertThat(kindling(words("dora", model, "adapter={type: dora, " + path + "}"))).isEqualTo(2);
    assertThat(err.toString()).contains("adapter.type: expected lora");
    assertThat(kindling(words("wide", model, "adapter={type: lora, rank: 64}"))).isEqualTo(2);
    assertThat(err.toString()).contains("adapter.rank: expected at most 32");
    String few = "adapter={type: lora, targets: [q_proj], " + path + "}";
    assertThat(kindling(words("few", model, few))).isEqualTo(4);
    assertThat(err.toString()).contains("expected the adapter of this model alone, found also");

    Files.copy(
        folder.resolve("merged/model.safetensors"),
        model.resolve("model.safetensors"),
        StandardCopyOption.REPLACE_EXISTING);
    assertThat(kindling("resume", run("lora"), "--set", "steps=4")).isEqualTo(4);
    assertThat(err.toString()).contains("the directory changed since");
  }
}
