package dev.kindling.worker.loop;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kindling.worker.checkpoint.Generation;
import dev.kindling.worker.event.StepDone;
import dev.kindling.worker.launch.ThreadLauncher;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class TrainLoopTest {
  private static final String EXACT =
      """
      determinism: exact
      logical_shards: 4
      steps: %d
      global_batch: 256
      micro_batch: 64
      ranks: %d
      """;

  private static final String REPLAY =
      """
      steps: %d
      global_batch: 256
      micro_batch: 64
      ranks: %d
      """;

  @TempDir private Path folder;

  @Test
  void exactModeGivesTheSameLossBitsOnOneTwoAndFourRanksForFiftySteps() throws Exception {
    List<SmallRun.Outcome> outcomes = new ArrayList<>();
    List<String> states = new ArrayList<>();
    for (int ranks : new int[] {1, 2, 4}) {
      SmallRun run = SmallRun.in(folder.resolve("r" + ranks), String.format(EXACT, 50, ranks));
      outcomes.add(run.run(new ThreadLauncher(), StopSignal.NEVER));
      states.add(newest(run).stateHash());
    }
    assertThat(outcomes.get(0).lossBits()).hasSize(50);
    assertThat(outcomes.get(1).lossBits()).isEqualTo(outcomes.get(0).lossBits());
    assertThat(outcomes.get(2).lossBits()).isEqualTo(outcomes.get(0).lossBits());
    assertThat(outcomes.get(1).validationBits()).isEqualTo(outcomes.get(0).validationBits());
    assertThat(outcomes.get(2).validationBits()).isEqualTo(outcomes.get(0).validationBits());
    assertThat(states).containsOnly(states.get(0));
  }

  @Test
  void twoLogicalShardsDifferFromOne() throws Exception {
    // Guards the test above: if the order of sums made no difference, it would prove nothing.
    SmallRun one = SmallRun.in(folder.resolve("one"), String.format(REPLAY, 20, 1));
    SmallRun tree = SmallRun.in(folder.resolve("tree"), String.format(EXACT, 20, 1));
    assertThat(one.run(new ThreadLauncher(), StopSignal.NEVER).lossBits())
        .isNotEqualTo(tree.run(new ThreadLauncher(), StopSignal.NEVER).lossBits());
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 3})
  void savingBesideTheStepsChangesNoBitOfWhatIsSaved(int zero) throws Exception {
    String settings = String.format(REPLAY, 30, 2) + "mesh: {zero: " + zero + "}\n";
    SmallRun stopping = SmallRun.in(folder.resolve("stopping"), settings);
    SmallRun beside =
        SmallRun.in(
            folder.resolve("beside"), settings, "checkpoint.async=true", "checkpoint.keep=9");
    SmallRun.Outcome expected = stopping.run(new ThreadLauncher(), StopSignal.NEVER);
    SmallRun.Outcome found = beside.run(new ThreadLauncher(), StopSignal.NEVER);
    assertThat(found.lossBits()).isEqualTo(expected.lossBits());
    assertThat(newest(beside).stateHash()).isEqualTo(newest(stopping).stateHash());
    List<String> early = beside.store().commits();
    assertThat(early).as("some were made beside steps").hasSizeGreaterThan(1);
  }

  @Test
  void comparingReplicasChangesNoBit() throws Exception {
    SmallRun often =
        SmallRun.in(
            folder.resolve("often"), String.format(REPLAY, 9, 2), "guard.hash_every_steps=1");
    SmallRun never =
        SmallRun.in(
            folder.resolve("never"), String.format(REPLAY, 9, 2), "guard.hash_every_steps=0");
    assertThat(often.run(new ThreadLauncher(), StopSignal.NEVER).lossBits())
        .hasSize(9)
        .isEqualTo(never.run(new ThreadLauncher(), StopSignal.NEVER).lossBits());
    assertThat(newest(often).stateHash()).isEqualTo(newest(never).stateHash());
  }

  @Test
  void lossFalls() throws Exception {
    SmallRun run = SmallRun.in(folder, String.format(REPLAY, 60, 2));
    SmallRun.Outcome outcome = run.run(new ThreadLauncher(), StopSignal.NEVER);
    float first = Float.intBitsToFloat(outcome.lossBits().get(1L));
    float last = Float.intBitsToFloat(outcome.lossBits().get(60L));
    assertThat(first).isBetween(5.3f, 5.9f);
    assertThat(last).isLessThan(first - 1.5f);
  }

  @Test
  void aRunThatWasStoppedAndResumedEqualsAnUndisturbedOne() throws Exception {
    SmallRun whole = SmallRun.in(folder.resolve("whole"), String.format(REPLAY, 11, 2));
    SmallRun.Outcome expected = whole.run(new ThreadLauncher(), StopSignal.NEVER);
    SmallRun cut = SmallRun.in(folder.resolve("cut"), String.format(REPLAY, 11, 2));
    AtomicBoolean stop = new AtomicBoolean();
    SmallRun.Outcome first =
        cut.run(
            new ThreadLauncher(),
            () -> stop.get() ? StopRequest.CHECKPOINT_AND_STOP : StopRequest.NONE,
            event -> {
              if (event instanceof StepDone done && done.step() == 4) {
                stop.set(true);
              }
            });
    assertThat(first.results()).allMatch(WorkerResult::stopped);
    long stoppedAfter = first.results().get(0).lastStep();
    assertThat(stoppedAfter).isBetween(4L, 6L);
    SmallRun.Outcome second = cut.run(new ThreadLauncher(), StopSignal.NEVER);
    assertThat(second.lossBits().keySet()).allMatch(step -> step > stoppedAfter);
    var joined = new java.util.TreeMap<>(first.lossBits());
    joined.putAll(second.lossBits());
    assertThat(joined).isEqualTo(expected.lossBits());
    assertThat(newest(cut).stateHash()).isEqualTo(newest(whole).stateHash());
  }

  @Test
  void aStepWithANonFiniteGradientIsSkippedAndCounted() throws Exception {
    // A learning rate without warm-up and clip that overflows fp32 within a few steps.
    SmallRun run =
        SmallRun.in(
            folder,
            String.format(REPLAY, 12, 2),
            "optimizer={type: sgd, lr: 1.0e+30, clip_norm: 0}",
            "schedule={type: constant}");
    SmallRun.Outcome outcome = run.run(new ThreadLauncher(), StopSignal.NEVER);
    assertThat(outcome.lossBits()).hasSize(12);
    Generation end = newest(run);
    assertThat(end.state().skippedSteps()).isNotEmpty();
    assertThat(end.state().step()).isEqualTo(12);
  }

  private static Generation newest(SmallRun run) {
    return run.store().newestValid(new ArrayList<>()).orElseThrow();
  }
}
