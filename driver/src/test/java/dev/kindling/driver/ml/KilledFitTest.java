package dev.kindling.driver.ml;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kindling.driver.cli.Bodies;
import dev.kindling.driver.cli.Kindling;
import dev.kindling.driver.launch.DriverProcess;
import dev.kindling.worker.checkpoint.CheckpointStore;
import dev.kindling.worker.event.report.MetricsLog;
import dev.kindling.worker.store.LocalStorage;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@link FitProgram} as a process that is killed; {@code resume} goes on with its run. */
@Tag("long")
class KilledFitTest {
  /** Far above what is needed: test machines are shared. */
  private static final long LIMIT_SECONDS = 180;

  /** Behind the second checkpoint; the rest takes longer than any kill does. */
  private static final int KILL_AFTER = 22;

  @TempDir private Path folder;

  private Path run(String name) {
    return folder.resolve("runs").resolve(name);
  }

  private DriverProcess fit(String name) throws IOException {
    return DriverProcess.startIn(
        folder, folder, List.of(FitProgram.class.getName(), run(name).toString()));
  }

  private Map<Long, String> losses(String name) throws IOException {
    Map<Long, String> losses = new TreeMap<>();
    MetricsLog.read(run(name).resolve("metrics.jsonl"))
        .byStep()
        .forEach(
            (step, line) ->
                losses.put(
                    step,
                    MetricsLog.text(line, "loss") + " " + MetricsLog.text(line, "grad_norm")));
    return losses;
  }

  private String state(String name) {
    CheckpointStore store =
        CheckpointStore.open(new LocalStorage(run(name).resolve("checkpoints")), 2);
    return store.newestValid(new ArrayList<>()).orElseThrow().stateHash();
  }

  @Test
  void aRunWhoseProgramWasKilledEndsAsAnUndisturbedOne() throws Exception {
    try (DriverProcess whole = fit("whole")) {
      assertThat(whole.await(LIMIT_SECONDS)).as(whole.text()).isZero();
      assertThat(whole.text()).contains("fitted 3");
    }
    try (DriverProcess cut = fit("cut")) {
      while (cut.isAlive() && losses("cut").size() < KILL_AFTER) {
        Thread.sleep(20);
      }
      cut.kill();
      assertThat(cut.await(LIMIT_SECONDS)).as(cut.text()).isEqualTo(128 + 9);
    }
    assertThat(losses("cut")).hasSizeBetween(KILL_AFTER, FitProgram.STEPS - 1);
    StringWriter out = new StringWriter();
    PrintWriter lines = new PrintWriter(out, true);
    String[] words = {"resume", run("cut").toString(), "--set", "launcher=threads"};
    assertThat(Kindling.execute(new Bodies(), lines, lines, words)).as(out.toString()).isZero();
    assertThat(losses("cut")).hasSize(FitProgram.STEPS).isEqualTo(losses("whole"));
    assertThat(state("cut")).isEqualTo(state("whole"));
  }
}
