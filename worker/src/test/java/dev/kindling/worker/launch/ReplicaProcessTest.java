package dev.kindling.worker.launch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kindling.worker.event.StepDone;
import dev.kindling.worker.loop.SmallRun;
import dev.kindling.worker.loop.StopSignal;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Replicas that are processes and average over TCP, beside their steps. */
class ReplicaProcessTest {
  private static final String SETTINGS =
      """
      steps: 30
      global_batch: 256
      micro_batch: 64
      ranks: 2
      sync: {type: co2, tau: 4, alpha: 0.7}
      launcher: processes
      """;

  private static final List<String> OPTIONS =
      List.of("--add-modules=jdk.incubator.vector", "-Xmx256m");

  @TempDir private Path folder;

  private static String state(SmallRun run) {
    return run.store().newestValid(new ArrayList<>()).orElseThrow().stateHash();
  }

  /** Of two ranks: more would add in another order round a ring. */
  @Test
  void theyGiveTheBitsOfThreadsAlsoAfterOneWasKilled() throws Exception {
    SmallRun threads = SmallRun.in(folder.resolve("t"), SETTINGS);
    SmallRun.Outcome expected = threads.run(new ThreadLauncher(), StopSignal.NEVER);
    SmallRun run = SmallRun.in(folder.resolve("p"), SETTINGS);
    TreeMap<Long, Integer> losses = new TreeMap<>();
    AtomicBoolean killed = new AtomicBoolean();
    assertThatThrownBy(
            () ->
                run.run(
                    new ProcessLauncher(OPTIONS),
                    StopSignal.NEVER,
                    event -> {
                      if (event instanceof StepDone done) {
                        losses.put(done.step(), Float.floatToRawIntBits(done.loss()));
                        if (done.step() == 10 && killed.compareAndSet(false, true)) {
                          killOneChild();
                        }
                      }
                    }))
        .isInstanceOfSatisfying(
            AttemptFailedException.class,
            failed ->
                assertThat(failed.kind())
                    .as(failed.getMessage())
                    .isEqualTo(FailureKind.LOST_WORKER));
    assertThat(run.store().commits()).as("a checkpoint behind a boundary").isNotEmpty();
    SmallRun.Outcome rest = run.run(new ProcessLauncher(OPTIONS), StopSignal.NEVER);
    rest.lossBits()
        .forEach(
            (step, bits) -> {
              Integer before = losses.put(step, bits);
              assertThat(before == null || before.equals(bits)).as("step %d", step).isTrue();
            });
    assertThat(losses).isEqualTo(expected.lossBits());
    assertThat(state(run)).isEqualTo(state(threads));
  }

  private static void killOneChild() {
    ProcessHandle.current()
        .children()
        .filter(child -> child.info().command().orElse("").endsWith("java"))
        .findFirst()
        .orElseThrow()
        .destroyForcibly();
  }
}
