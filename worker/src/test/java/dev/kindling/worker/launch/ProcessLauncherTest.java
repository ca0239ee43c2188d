package dev.kindling.worker.launch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kindling.worker.event.StepDone;
import dev.kindling.worker.loop.SmallRun;
import dev.kindling.worker.loop.StopSignal;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ProcessLauncherTest {
  private static final String SETTINGS =
      """
      steps: %d
      global_batch: 256
      micro_batch: 64
      ranks: 2
      launcher: processes
      """;

  private static final List<String> OPTIONS =
      List.of("--add-modules=jdk.incubator.vector", "-Xmx256m");

  @TempDir private Path folder;

  @Test
  void processesGiveTheLossBitsOfThreads() throws Exception {
    SmallRun threads = SmallRun.in(folder.resolve("t"), String.format(SETTINGS, 5));
    SmallRun processes = SmallRun.in(folder.resolve("p"), String.format(SETTINGS, 5));
    assertThat(processes.run(new ProcessLauncher(OPTIONS), StopSignal.NEVER).lossBits())
        .isEqualTo(threads.run(new ThreadLauncher(), StopSignal.NEVER).lossBits())
        .hasSize(5);
  }

  /** As a library does that was asked to say more. */
  @Test
  void whatAChildPrintsDoesNotFallBetweenTheFrames() throws Exception {
    List<String> talkative = new ArrayList<>(OPTIONS);
    talkative.add("-Xlog:class+load=info:stdout");
    SmallRun run = SmallRun.in(folder, String.format(SETTINGS, 2));
    assertThat(run.run(new ProcessLauncher(talkative), StopSignal.NEVER).lossBits()).hasSize(2);
  }

  /** Pieces of checkpoints travel between processes as they do between threads. */
  @Test
  void shardedProcessesGiveTheBitsOfShardedThreads() throws Exception {
    String sharded = String.format(SETTINGS, 4) + "mesh: {zero: 3}\n";
    SmallRun threads = SmallRun.in(folder.resolve("t"), sharded);
    SmallRun processes = SmallRun.in(folder.resolve("p"), sharded);
    SmallRun.Outcome expected = threads.run(new ThreadLauncher(), StopSignal.NEVER);
    SmallRun.Outcome found = processes.run(new ProcessLauncher(OPTIONS), StopSignal.NEVER);
    assertThat(found.lossBits()).isEqualTo(expected.lossBits());
    assertThat(processes.store().newestValid(new ArrayList<>()).orElseThrow().stateHash())
        .isEqualTo(threads.store().newestValid(new ArrayList<>()).orElseThrow().stateHash());
  }

  @Test
  void aKilledRankEndsTheAttemptAndTheNextOneGoesOn() throws Exception {
    SmallRun run = SmallRun.in(folder, String.format(SETTINGS, 12));
    AtomicBoolean killed = new AtomicBoolean();
    assertThatThrownBy(
            () ->
                run.run(
                    new ProcessLauncher(OPTIONS),
                    StopSignal.NEVER,
                    event -> {
                      if (event instanceof StepDone done
                          && done.step() == 5
                          && killed.compareAndSet(false, true)) {
                        killOneChild();
                      }
                    }))
        .isInstanceOfSatisfying(
            AttemptFailedException.class,
            failed -> {
              assertThat(failed.kind()).isEqualTo(FailureKind.LOST_WORKER);
              assertThat(failed).hasMessageContaining("exit code 137");
            });
    SmallRun.Outcome rest = run.run(new ProcessLauncher(OPTIONS), StopSignal.NEVER);
    assertThat(rest.results().get(0).lastStep()).isEqualTo(12);
    assertThat(rest.lossBits()).containsKeys(4L, 5L, 12L).doesNotContainKey(3L);
  }

  @Test
  void eventsThatCannotBeRecordedEndTheAttempt() throws Exception {
    SmallRun run = SmallRun.in(folder, String.format(SETTINGS, 100_000));
    assertThatThrownBy(
            () ->
                run.run(
                    new ProcessLauncher(OPTIONS),
                    StopSignal.NEVER,
                    event -> {
                      if (event instanceof StepDone) {
                        throw new UncheckedIOException(new IOException("no space left"));
                      }
                    }))
        .isInstanceOfSatisfying(
            AttemptFailedException.class,
            failed -> assertThat(failed.kind()).isEqualTo(FailureKind.UNEXPECTED))
        .hasMessageContaining("events of the ranks cannot be recorded")
        .hasMessageContaining("no space left");
  }

  private static void killOneChild() {
    ProcessHandle.current()
        .children()
        .filter(child -> child.info().commandLine().orElse("").contains("WorkerMain"))
        .findFirst()
        .orElseThrow()
        .destroyForcibly();
  }
}
