package dev.kindling.driver.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Pruned model directories through the whole command: prune, train, merge, recover. */
class PruneCommandTest extends SmallModelCase {
  private static final String MODEL =
      """
      model:
        type: llama
        width: 32
        layers: 2
        heads: 4
        kv_heads: 2
        mlp_width: 48
        vocabulary: 256
        context: 64
      """;

  @Override
  String shape() {
    return MODEL;
  }

  private void train(String name, String directory, String... sets) throws IOException {
    done(words(name, Path.of(directory), sets));
  }

  private float validation(String name) throws IOException {
    return validation(name, 3);
  }

  @Test
  void zerosStayThroughTrainingAndMerging() throws IOException {
    String calibration = texts.resolve("0.txt").toString();
    done("prune", model.toString(), "--to", to("plain"), "--sparsity", "0.5");
    // 2 layers of 2 * 32 * 32 + 2 * 16 * 32 + 3 * 32 * 48 weights.
    assertThat(out.toString()).contains("7,680 of 15,360 weights of 14 linear maps are zero");
    done(
        "prune",
        model.toString(),
        "--to",
        to("wanda"),
        "--method",
        "wanda",
        "--pattern",
        "2:4",
        "--calibration",
        calibration,
        "--samples",
        "3",
        "--device",
        "cpu");
    assertThat(out.toString()).contains("7,680 of 15,360");
    assertThat(err.toString()).contains("3 windows of 64 tokens");
    for (String adapter : List.of("{type: perp, rank: 1}", "{type: mask_lora, rank: 2}")) {
      String name = "run-" + adapter.substring(7, 11);
      train(name, to("wanda"), "adapter=" + adapter);
      assertThat(kindling("export", run(name), "--to", to("no"))).isEqualTo(2);
      assertThat(err.toString()).contains("export it with --merge");
      done("export", run(name), "--to", to(name), "--merge");
      // A pattern that takes at most what is zero anyway finds nothing else to take.
      done("prune", to(name), "--to", to(name + "-again"), "--pattern", "2:4");
      assertThat(Path.of(to(name + "-again"), "model.safetensors"))
          .hasSameBinaryContentAs(Path.of(to(name), "model.safetensors"));
      train(name + "-merged", to(name), STILL);
      assertThat(validation(name + "-merged")).isCloseTo(validation(name), within(1e-5f));
    }
  }

  @Test
  void anAdapterOfASmallerModelIsRecoveredForTheWholeOne() throws IOException {
    done("prune", model.toString(), "--to", to("small"), "--structured");
    assertThat(out.toString()).contains("2 of 4 heads, 1 of 2 key-value heads, 24 of 48 channels");
    train("lora", to("small"), "adapter={type: lora, rank: 4, alpha: 64}");
    done("export", run("lora"), "--to", to("small-adapter"));
    assertThat(Path.of(to("small-adapter"), "kept.json")).exists();

    done("export", run("lora"), "--to", to("adapter"), "--recover", model.toString());
    done("export", run("lora"), "--to", to("merged"), "--recover", model.toString(), "--merge");
    train("whole", model.toString(), "adapter={type: lora, path: " + to("adapter") + "}", STILL);
    train("merged", to("merged"), STILL);
    train("plain", model.toString(), STILL);
    assertThat(validation("whole")).isCloseTo(validation("merged"), within(1e-5f));
    assertThat(validation("whole")).isNotEqualTo(validation("plain"));
  }

  /** Factors of zeros over a base of 4 bits leave the larger model as it is, every byte. */
  @Test
  void aPackedBaseOfTheSmallerModelDoesNotRoundTheWholeOne() throws IOException {
    done("prune", model.toString(), "--to", to("small"), "--structured");
    train("lora", to("small"), "adapter={type: lora, rank: 4, base: nf4}", STILL);
    done("export", run("lora"), "--to", to("merged"), "--recover", model.toString(), "--merge");
    assertThat(Path.of(to("merged"), "model.safetensors"))
        .hasSameBinaryContentAs(model.resolve("model.safetensors"));
    String larger = model.toString();
    String[] typed = {
      "export", run("lora"), "--to", to("b"), "--recover", larger, "--dtype", "bfloat16"
    };
    assertThat(kindling(typed)).isEqualTo(2);
    assertThat(err.toString()).contains("--dtype: expected none for an adapter");
    assertThat(Path.of(to("b"))).doesNotExist();
  }

  @Test
  void trainedVectorsAloneAreNoFactors() throws IOException {
    train("vectors", model.toString(), "adapter.type=perp", "steps=1");
    assertThat(kindling("export", run("vectors"), "--to", to("no"))).as("%s", err).isEqualTo(2);
    assertThat(err.toString()).contains("found perp; export it with --merge");
  }

  @Test
  void whatDoesNotFitIsSaidByName() throws IOException {
    String from = model.toString();
    assertThat(kindling("prune", from, "--to", to("a"), "--sparsity", "1.5")).isEqualTo(2);
    assertThat(err.toString()).contains("--sparsity: expected above 0 and below 1, found 1.5");
    assertThat(kindling("prune", from, "--to", to("a"), "--pattern", "3:5")).isEqualTo(2);
    assertThat(err.toString()).contains("--pattern: expected a divisor of the 32 input features");
    assertThat(kindling("prune", from, "--to", to("a"), "--method", "wanda")).isEqualTo(2);
    assertThat(err.toString()).contains("--calibration: expected texts with --method wanda");
    assertThat(kindling("prune", from, "--to", to("a"), "--structured", "--pattern", "2:4"))
        .isEqualTo(2);
    assertThat(err.toString()).contains("--structured: expected --method magnitude or random");
    assertThat(Path.of(to("a"))).doesNotExist();
    assertThat(kindling("prune", texts.toString(), "--to", to("a"))).isEqualTo(4);
    assertThat(err.toString()).contains("expected a model directory");

    train("lora", from, "adapter={type: lora, rank: 2}", "steps=1");
    assertThat(kindling("export", run("lora"), "--to", to("b"), "--recover", from)).isEqualTo(2);
    assertThat(err.toString()).contains("--recover: expected a run on a model of prune --struct");
    done("prune", from, "--to", to("small"), "--structured");
    train("small", to("small"), "adapter={type: lora, rank: 2}", "steps=1");
    String small = to("small");
    assertThat(kindling("export", run("small"), "--to", to("b"), "--recover", small)).isEqualTo(4);
    assertThat(err.toString()).contains("expected the model of which kept.json says what was kept");
    assertThat(Path.of(to("b"))).doesNotExist();
  }
}
