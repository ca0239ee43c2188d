package dev.kindling.driver.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kindling.driver.Main;
import dev.kindling.driver.launch.DriverProcess;
import dev.kindling.worker.event.report.MetricsLog;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Several drivers, as processes, over one run folder. */
@Tag("long")
class RunFolderTest {
  /** Far above what is needed: test machines are shared. */
  private static final long END_SECONDS = 180;

  @TempDir private Path folder;

  private DriverProcess kindling(Path working, String... words) throws IOException {
    List<String> all = new ArrayList<>(List.of(Main.class.getName()));
    all.addAll(List.of(words));
    return DriverProcess.startIn(working, folder, all);
  }

  @Test
  void aLiveDriverKeepsOthersAwayAndAKilledOneDoesNotEvenFromAnotherFolder() throws Exception {
    Path here = Files.createDirectory(folder.resolve("here"));
    Path there = Files.createDirectory(folder.resolve("there"));
    Files.writeString(here.resolve("corpus.txt"), "a text that repeats itself\n".repeat(2000));
    Files.writeString(
        here.resolve("run.yaml"),
        """
        model: {type: llama, width: 32, layers: 1, heads: 2, context: 64}
        data: {type: text, paths: [corpus.txt]}
        optimizer: {type: adamw, lr: 3e-3}
        steps: 1000000
        sequence_length: 64
        micro_batch: 512
        global_batch: 4096
        threads: 1
        matmul: java
        checkpoint: {every_steps: 10}
        launcher: threads
        """);
    Path run = here.resolve("runs/r");
    try (DriverProcess first = kindling(here, "train", "run.yaml", "--run-dir", "runs/r")) {
      awaitStep(first, run, 1);
      try (DriverProcess second = kindling(there, "resume", run.toString())) {
        assertThat(second.await(END_SECONDS)).as(second.text()).isEqualTo(ExitCodes.CONFIGURATION);
        assertThat(second.text())
            .contains("another driver works on this run (pid ")
            .doesNotContain("step ");
      }
      assertThat(first.isAlive()).as(first.text()).isTrue();
      first.kill();
    }
    long steps = MetricsLog.read(run.resolve("metrics.jsonl")).byStep().lastKey() + 10;
    try (DriverProcess next =
        kindling(there, "resume", run.toString(), "--set", "steps=" + steps)) {
      assertThat(next.await(END_SECONDS)).as(next.text()).isZero();
    }
    assertThat(MetricsLog.read(run.resolve("metrics.jsonl")).byStep()).hasSize((int) steps);
    assertThat(run.resolve("config.yaml"))
        .content()
        .contains("steps: " + steps)
        .contains(here.resolve("corpus.txt").toString());
    assertThat(run.resolve("run.lock")).as("nobody's any more").isEmptyFile();
  }

  private static void awaitStep(DriverProcess driver, Path run, long step)
      throws IOException, InterruptedException {
    long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(END_SECONDS);
    while (System.nanoTime() < deadline && driver.isAlive()) {
      if (MetricsLog.read(run.resolve("metrics.jsonl")).byStep().containsKey(step)) {
        return;
      }
      TimeUnit.MILLISECONDS.sleep(10);
    }
    throw new AssertionError("never logged step " + step + ":\n" + driver.text());
  }
}
