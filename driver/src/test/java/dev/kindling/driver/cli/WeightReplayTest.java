package dev.kindling.driver.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kindling.worker.launch.ThreadLauncher;
import dev.kindling.worker.loop.SmallRun;
import dev.kindling.worker.loop.StopSignal;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
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

  @Test
  void aRunThatKeepsNoLogIsRefused() throws Exception {
    String run = run("adamw").toString();
    assertThat(kindling("replay", run, "seed")).isEqualTo(4);
    assertThat(err.toString())
        .contains("expected the log of a zeroth-order run, found no file of one");
    assertThat(kindling("replay", run)).isEqualTo(2);
  }
}
