package dev.kindling.worker.loop;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kindling.worker.checkpoint.Generation;
import dev.kindling.worker.checkpoint.PartKind;
import dev.kindling.worker.event.RoundDone;
import dev.kindling.worker.event.StepDone;
import dev.kindling.worker.event.WorkerEvent;
import dev.kindling.worker.launch.ThreadLauncher;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Whole runs whose ranks, threads of this JVM, train apart. */
class RoundsTest {
  private static final String SETTINGS =
      """
      steps: %d
      global_batch: 256
      micro_batch: 64
      ranks: 2
      sync: %s
      """;

  private static final String CO2 = "{type: co2, tau: 4, alpha: 0.7}";

  @TempDir private Path folder;

  private SmallRun run(String name, int steps, String sync, String... sets) {
    return SmallRun.in(folder.resolve(name), String.format(SETTINGS, steps, sync), sets);
  }

  private static Generation newest(SmallRun run) {
    return run.store().newestValid(new ArrayList<>()).orElseThrow();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "{type: local_sgd, tau: 4}",
        "{type: slowmo, tau: 4}",
        "{type: diloco, tau: 4}",
        CO2,
        "{type: co2, tau: 4, alpha: 0.7, penalty: ratio_norm, first: reset}",
        "{type: eager_diloco, tau: 4, alpha: 0.4, beta: 0.5}",
        "{type: corrected, tau: 4, beta: 0.5}"
      })
  void aRunThatWasStoppedAndResumedEqualsAnUndisturbedOne(String sync) throws Exception {
    SmallRun whole = run("whole", 23, sync);
    SmallRun.Outcome expected = whole.run(new ThreadLauncher(), StopSignal.NEVER);
    SmallRun cut = run("cut", 23, sync);
    AtomicBoolean stop = new AtomicBoolean();
    SmallRun.Outcome first =
        cut.run(
            new ThreadLauncher(),
            () -> stop.get() ? StopRequest.CHECKPOINT_AND_STOP : StopRequest.NONE,
            event -> {
              if (event instanceof StepDone done && done.step() == 6) {
                stop.set(true);
              }
            });
    assertThat(first.results()).allMatch(WorkerResult::stopped);
    long stoppedBehind = first.results().get(0).lastStep();
    assertThat(stoppedBehind).as("a boundary").isIn(8L, 12L);
    SmallRun.Outcome second = cut.run(new ThreadLauncher(), StopSignal.NEVER);
    assertThat(second.results()).noneMatch(WorkerResult::stopped);
    TreeMap<Long, Integer> joined = new TreeMap<>(first.lossBits());
    joined.putAll(second.lossBits());
    assertThat(joined).isEqualTo(expected.lossBits());
    assertThat(newest(cut).stateHash()).isEqualTo(newest(whole).stateHash());
  }

  @Test
  void lossFallsAndReplicasDriftOnlyBetweenBoundaries() throws Exception {
    SmallRun run = run("run", 64, "{type: local_sgd, tau: 4}", "guard.hash_every_steps=4");
    List<WorkerEvent> events = Collections.synchronizedList(new ArrayList<>());
    SmallRun.Outcome outcome = run.run(new ThreadLauncher(), StopSignal.NEVER, events::add);
    float first = Float.intBitsToFloat(outcome.lossBits().get(1L));
    float last = Float.intBitsToFloat(outcome.lossBits().get(64L));
    assertThat(last).isLessThan(first - 1.2f);
    List<RoundDone> rounds =
        events.stream().filter(RoundDone.class::isInstance).map(RoundDone.class::cast).toList();
    assertThat(rounds).hasSize(16);
    assertThat(rounds.get(15).outerStep()).isEqualTo(16);
    assertThat(rounds.get(15).step()).isEqualTo(64);
    assertThat(rounds).allMatch(round -> round.drift() > 0 && round.loss() > 0);
    assertThat(rounds).allMatch(round -> Double.isNaN(round.stalenessGap()));
    // Both ranks checked each boundary; what differed would have ended the run.
    assertThat(events.stream().filter(StepDone.class::isInstance)).hasSize(64);
  }

  private List<Long> bytes(String name, int steps, String... sets) throws Exception {
    SmallRun run = run(name, steps, "{type: co2, tau: 4, first: reset}", sets);
    List<WorkerEvent> events = Collections.synchronizedList(new ArrayList<>());
    run.run(new ThreadLauncher(), StopSignal.NEVER, events::add);
    return events.stream()
        .filter(StepDone.class::isInstance)
        .map(event -> ((StepDone) event).commBytes())
        .toList();
  }

  @Test
  void bytesOfARunAreOnePayloadARound() throws Exception {
    String rare = "checkpoint.every_steps=100";
    long one = bytes("one", 4, rare).get(3);
    List<Long> three = bytes("three", 12, rare);
    assertThat(one).isGreaterThan(4 * 20_000L);
    // The flight of a round is waited for at the next boundary, the last one when it is drained.
    assertThat(three.subList(0, 7)).containsOnly(0L);
    assertThat(three.get(7)).isEqualTo(one);
    assertThat(three.subList(8, 11)).containsOnly(0L);
    assertThat(three.get(11)).isEqualTo(2 * one);
    // A checkpoint waits for it earlier; the step after it tells.
    List<Long> saved = bytes("saved", 12, "checkpoint.every_steps=4");
    assertThat(saved.stream().mapToLong(Long::longValue).sum()).isEqualTo(3 * one);
  }

  @Test
  void fourRanksThatCheckEveryBoundaryAgree() throws Exception {
    for (String sync : List.of(CO2, "{type: eager_diloco, tau: 4, alpha: 0.4, beta: 0.5}")) {
      SmallRun run = run("four" + sync.length(), 18, sync, "ranks=4", "guard.hash_every_steps=1");
      SmallRun.Outcome outcome = run.run(new ThreadLauncher(), StopSignal.NEVER);
      assertThat(outcome.results()).hasSize(4).allMatch(result -> result.lastStep() == 18);
      assertThat(outcome.lossBits()).hasSize(18);
      assertThat(outcome.validationBits()).containsOnlyKeys(4L, 8L, 12L, 16L, 18L);
    }
  }

  @Test
  void replicasThatDifferAreSavedEachForItself() throws Exception {
    SmallRun run = run("run", 8, "{type: corrected, tau: 4}", "checkpoint.keep=9");
    run.run(new ThreadLauncher(), StopSignal.NEVER);
    Generation middle = run.store().generation(run.store().commits().get(1));
    assertThat(middle.state().step()).isEqualTo(4);
    String gain = "model.norm.weight";
    assertThat(middle.tensors(PartKind.MODEL)).containsKey(gain);
    assertThat(middle.tensors(PartKind.OPTIMIZER))
        .containsKeys(
            "replica/1/" + gain,
            "replica/0/outer/kept/" + gain,
            "replica/1/outer/momentum/" + gain,
            "outer/payload/param/" + gain)
        .doesNotContainKeys("replica/0/" + gain, "outer/momentum/" + gain);
    assertThat(middle.tensors(PartKind.OPTIMIZER).get("replica/1/" + gain).sha256())
        .isNotEqualTo(middle.tensors(PartKind.MODEL).get(gain).sha256());
  }

  @Test
  void checkpointsFallOnBoundaries() throws Exception {
    SmallRun run = run("run", 12, CO2, "checkpoint.every_steps=3", "checkpoint.keep=9");
    run.run(new ThreadLauncher(), StopSignal.NEVER);
    assertThat(run.store().commits().stream().map(id -> id.substring(id.length() - 2)).toList())
        .containsExactly("12", "08", "04");
    Generation middle = run.store().generation(run.store().commits().get(1));
    assertThat(middle.state().guards()).containsEntry(Rounds.APPLIES, "12");
    assertThat(newest(run).state().guards()).doesNotContainKey(Rounds.APPLIES);
  }

  @Test
  void savingBesideTheStepsChangesNoBit() throws Exception {
    SmallRun stopping = run("stopping", 24, CO2);
    SmallRun beside = run("beside", 24, CO2, "checkpoint.async=true");
    SmallRun.Outcome expected = stopping.run(new ThreadLauncher(), StopSignal.NEVER);
    SmallRun.Outcome found = beside.run(new ThreadLauncher(), StopSignal.NEVER);
    assertThat(found.lossBits()).isEqualTo(expected.lossBits());
    assertThat(newest(beside).stateHash()).isEqualTo(newest(stopping).stateHash());
  }
}
