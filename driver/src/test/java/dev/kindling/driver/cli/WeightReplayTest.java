package dev.kindling.driver.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kindling.worker.launch.ThreadLauncher;
import dev.kindling.worker.loop.SmallRun;
import dev.kindling.worker.loop.StopSignal;
import dev.kindling.worker.pretrained.ModelDirectory;
import dev.kindling.worker.pretrained.PretrainedWeights;
import dev.kindling.worker.store.InputFolder;
import dev.kindling.worker.store.StorageLocation;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class WeightReplayTest {
  private static final String BATCHES =
      """
      steps: 8
      global_batch: 64
      micro_batch: 32
      ranks: 2
      """;

  @TempDir private Path folder;
  private final StringWriter out = new StringWriter();
  private final StringWriter err = new StringWriter();

  private Path run(String name, String... sets) throws Exception {
    SmallRun.in(folder.resolve(name), BATCHES, sets).run(new ThreadLauncher(), StopSignal.NEVER);
    return folder.resolve(name).resolve("run");
  }

  private int kindling(String... words) {
    out.getBuffer().setLength(0);
    err.getBuffer().setLength(0);
    return Kindling.execute(
        new RecordingBodies(), new PrintWriter(out, true), new PrintWriter(err, true), words);
  }

  @Test
  void theCommandMakesTheWeightsOfARunAgain() throws Exception {
    String[] mezo = {"optimizer.type=mezo", "optimizer.lr=0.001", "optimizer.sparsity=0.5"};
    String run = run("mezo", mezo).toString();
    String other = run("other", mezo[0], mezo[1], "optimizer.sparsity=0", "seed=3").toString();
    Path target = folder.resolve("model");
    assertThat(kindling("replay", run, "seed", "--check", run, "--to", target.toString()))
        .as("%s%s", out, err)
        .isZero();
    assertThat(out.toString())
        .contains("replayed 8 steps up to step 8 in ")
        .contains("128 of them records")
        .contains("equal to the checkpoint of step 8, every bit");
    assertThat(Files.list(target).map(file -> file.getFileName().toString()))
        .contains("config.json", "model.safetensors");
    assertThat(kindling("replay", run, run, "--check", run)).as("%s%s", out, err).isZero();
    assertThat(out.toString()).contains("every bit");
    assertThat(kindling("replay", run, "seed", "--check", other)).isEqualTo(7);
    assertThat(out.toString()).contains("differs from the checkpoint of step 8: ");
    assertThat(kindling("replay", run, other)).isEqualTo(2);
    assertThat(err.toString()).contains("BASE: " + other + " is of another run than the log");
  }

  /** Factors move, the model beside them does not, and checkpoints do not hold it. */
  @Test
  void theFactorsOfAnAdapterComeBackToo() throws Exception {
    String[] lora = {
      "optimizer.type=mezo",
      "optimizer.lr=0.01",
      "optimizer.eps=0.01",
      "adapter={type: lora, rank: 4}"
    };
    String run = run("lora", lora).toString();
    String other = run("other", lora[0], lora[1], lora[2], lora[3], "seed=3").toString();
    for (String base : List.of("seed", run)) {
      assertThat(kindling("replay", run, base, "--check", run)).as("%s%s", out, err).isZero();
      assertThat(out.toString()).contains("equal to the checkpoint of step 8, every bit");
    }
    assertThat(kindling("replay", run, "seed", "--check", other)).isEqualTo(7);
    assertThat(out.toString())
        .contains("differs from the checkpoint of step 8: ")
        .contains("lora_");
    assertThat(kindling("replay", run, "seed", "--to", folder.resolve("no").toString()))
        .isEqualTo(2);
    assertThat(err.toString()).contains("--to: expected a run that trains whole models");
  }

  /** The wrong base would give weights that nobody trained, without a word. */
  @Test
  void aModelDirectoryIsTheOneOfTheRunOrRefused() throws Exception {
    String[] mezo = {"optimizer.type=mezo", "optimizer.lr=0.001"};
    Path model = folder.resolve("model");
    Path changed = folder.resolve("changed");
    String base = run("base", mezo).toString();
    String another = run("another", mezo[0], mezo[1], "seed=3").toString();
    assertThat(kindling("replay", base, "seed", "--to", model.toString())).isZero();
    assertThat(kindling("replay", another, "seed", "--to", changed.toString())).isZero();
    String sha256;
    try (PretrainedWeights weights =
        PretrainedWeights.open(
            ModelDirectory.open(new InputFolder(StorageLocation.of(model.toString()))))) {
      sha256 = weights.sha256();
    }
    String section = "model={type: huggingface, path: " + model + ", sha256: " + sha256 + "}";
    String run = run("tuned", mezo[0], mezo[1], section).toString();
    assertThat(kindling("replay", run, model.toString(), "--check", run))
        .as("%s%s", out, err)
        .isZero();
    assertThat(kindling("replay", run, changed.toString())).isEqualTo(2);
    assertThat(err.toString())
        .contains("BASE: expected the weights of model.sha256 " + sha256)
        .contains(changed.toString());
  }

  @Test
  void aLogThatEndsBeforeTheCheckpointIsNoDifference() throws Exception {
    Path run = run("short", "optimizer.type=mezo", "optimizer.lr=0.001");
    Path log;
    try (Stream<Path> files = Files.list(run.resolve("slopes"))) {
      log = files.findFirst().orElseThrow();
    }
    byte[] all = Files.readAllBytes(log);
    Files.write(log, Arrays.copyOf(all, all.length - 2 * 16));
    assertThat(kindling("replay", run.toString(), "seed", "--check", run.toString())).isEqualTo(4);
    assertThat(err.toString())
        .contains("expected steps up to the checkpoint of step 8, found them up to 6");
  }

  /** {@code resume --accept-change optimizer}: each stretch of the log is of its own rule. */
  @Test
  void stepsOfAnotherRuleAreNotMadeUnderTheNewestOne() throws Exception {
    String[] first = {"optimizer.type=mezo", "optimizer.lr=0.001"};
    run("changed", first);
    String decay = "optimizer.weight_decay=5.0";
    String run = run("changed", first[0], first[1], decay, "steps=11").toString();
    assertThat(kindling("replay", run, "seed", "--check", run)).as("%s%s", out, err).isEqualTo(2);
    assertThat(err.toString())
        .contains("expected steps of one rule behind BASE")
        .contains("weightDecay=0.0", "up to step 8 and", "weightDecay=5.0");
    // Its oldest checkpoint is of the step after which the rule changed.
    assertThat(kindling("replay", run, run, "--check", run)).as("%s%s", out, err).isZero();
    assertThat(out.toString()).contains("replayed 3 steps up to step 11").contains("every bit");
    // What a replay does not depend on may change: rate and slope are in the log.
    run("other", first);
    String later =
        run("other", "optimizer.type=mezo", "optimizer.lr=0.01", "optimizer.eps=0.01", "steps=11")
            .toString();
    assertThat(kindling("replay", later, "seed", "--check", later)).as("%s%s", out, err).isZero();
    assertThat(out.toString()).contains("replayed 11 steps up to step 11").contains("every bit");
  }

  @Test
  void aRunThatKeepsNoLogIsRefused() throws Exception {
    String run = run("adamw").toString();
    assertThat(kindling("replay", run, "seed")).isEqualTo(4);
    assertThat(err.toString())
        .contains("expected the log of a zeroth-order run, found no file of one");
    assertThat(kindling("replay", run)).isEqualTo(2);
  }
}
