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
    assertThat(kindling("resume", run("lora"), "--set", "steps=4")).isEqualTo(4);
    assertThat(err.toString()).contains("the directory changed since");
  }
}
