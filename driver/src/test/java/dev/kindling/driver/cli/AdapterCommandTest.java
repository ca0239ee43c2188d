package dev.kindling.driver.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import org.junit.jupiter.api.Test;

/** Adapters on a model directory through the whole command: train, export, merge, go on. */
class AdapterCommandTest extends SmallModelCase {
  private static final String RUN =
      """
      model: {type: llama, width: 32, layers: 2, heads: 2, vocabulary: 256, context: 64}
      """;

  private static final String LORA = "adapter={type: lora, rank: 4, alpha: 16, dropout: 0.1}";

  private static final String MEZO = "optimizer={type: mezo, lr: 1e-4}";

  @Override
  String shape() {
    return RUN;
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
    done(words("merged", merged, STILL));
    assertThat(validation("merged", 1)).isCloseTo(learnt, within(1e-5f));
    done(words("again", model, "adapter={type: lora, path: " + adapter + "}", STILL));
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
    assertThat(kindling(words("mezo", model, "adapter={type: lora, " + path + "}", MEZO)))
        .isEqualTo(2);
    assertThat(err.toString()).contains("adapter.dropout: expected 0 with optimizer mezo");
    assertThat(kindling("resume", run("lora"), "--set", "steps=4")).isEqualTo(4);
    assertThat(err.toString()).contains("the directory changed since");
  }

  /** What a run reads once it goes on must be what it began with. */
  @Test
  void aChangedAdapterAndChangedQuestionsAreRefused() throws IOException {
    done(words("lora", model, LORA, "adapter.dropout=0", "steps=1"));
    Path adapter = folder.resolve("adapter");
    done("export", run("lora"), "--to", adapter.toString());
    Path questions = folder.resolve("questions.jsonl");
    String good = "{\"prompt\": \"line\", \"choices\": [\" 1\", \" 2\"], \"answer\": 0}\n";
    Files.writeString(questions, "no question");
    String[] asked =
        words(
            "asked",
            model,
            "adapter={type: lora, path: " + adapter + "}",
            "optimizer={type: mezo, lr: 1e-4, objective: {type: accuracy, questions: "
                + questions
                + ", batch: 2}}");
    assertThat(kindling(asked)).as("%s", err).isEqualTo(3);
    assertThat(Path.of(run("asked"), "config.yaml")).content().contains("sha256");

    Path config = adapter.resolve("adapter_config.json");
    String before = Files.readString(config);
    Files.writeString(config, before + "\n");
    assertThat(kindling("resume", run("asked"))).as(err.toString()).isEqualTo(4);
    assertThat(err.toString()).contains("adapter.sha256").contains("the directory changed");
    Files.writeString(config, before);
    Files.writeString(questions, good);
    assertThat(kindling("resume", run("asked"))).as(err.toString()).isEqualTo(3);
    assertThat(err.toString()).contains("optimizer.objective.sha256").contains("the file changed");

    // What ended before its first step is replaced; then a checkpoint stands for the adapter.
    done(asked);
    Files.writeString(config, before + "\n");
    done("resume", run("asked"), "--set", "steps=4");
    Files.writeString(questions, good + good);
    assertThat(kindling("resume", run("asked"), "--set", "steps=5")).isEqualTo(3);
    assertThat(err.toString()).contains("optimizer.objective.sha256");
  }
}
