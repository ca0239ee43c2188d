package dev.kindling.worker.loop;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;

import dev.kindling.comm.loopback.LoopbackCommunicator;
import dev.kindling.kernels.backend.Backend;
import dev.kindling.kernels.backend.Communicator;
import dev.kindling.kernels.backend.CpuOptions;
import dev.kindling.kernels.backend.DeviceException;
import dev.kindling.kernels.backend.MatmulKind;
import dev.kindling.kernels.memory.Span;
import dev.kindling.worker.step.StepOutcome;
import dev.kindling.worker.step.StepProgram;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class StepWatchTest {
  private static final String SETTINGS =
      """
      steps: 4
      global_batch: 128
      micro_batch: 64
      ranks: 2
      guard: {hash_every_steps: 100, warmup_steps: 2, spike_steps: 2}
      """;

  @TempDir private Path folder;

  private final ExecutorService threads = Executors.newFixedThreadPool(2);
  private final List<Rank> ranks = new ArrayList<>();

  private record Rank(
      Backend backend, StepProgram program, StepWatch watch, Rounds rounds, Progress progress) {
    static Rank of(SmallRun run, WorkerAssignment assignment, Communicator data) {
      Backend backend = Backend.cpu(new CpuOptions(1, MatmulKind.JAVA));
      StepProgram program =
          StepProgram.compile(WorkerTask.graphs(run.plan(), run.shards()), backend, data);
      Progress progress = new Progress(0, 0, List.of(), 128);
      return new Rank(
          backend,
          program,
          new StepWatch(run.plan(), assignment, 0, progress, program, data, event -> {}),
          Rounds.open(run.plan(), program, backend, () -> data),
          progress);
    }

    /** A step as the device would tell it. */
    void step(float loss, float norm, float scale) {
      StepOutcome outcome = new StepOutcome(loss * 128, 128, norm, scale, 0);
      progress.finished(outcome);
      watch.finished(progress, outcome);
    }
  }

  @BeforeEach
  void start() {
    SmallRun run = SmallRun.in(folder, SETTINGS);
    WorkerAssignment assignment = run.assignment();
    for (Communicator data : LoopbackCommunicator.create(2)) {
      ranks.add(Rank.of(run, assignment, data));
    }
  }

  @AfterEach
  void stop() {
    threads.shutdownNow();
    for (Rank rank : ranks) {
      rank.watch.close();
      rank.program.close();
      rank.backend.close();
    }
  }

  private interface Action {
    void on(Rank rank);
  }

  private List<Optional<Throwable>> each(Action action) throws Exception {
    List<Future<Optional<Throwable>>> futures = new ArrayList<>();
    for (Rank rank : ranks) {
      futures.add(threads.submit(() -> Optional.ofNullable(catchThrowable(() -> action.on(rank)))));
    }
    return List.of(futures.get(0).get(), futures.get(1).get());
  }

  private void flipOneBit() {
    Rank rank = ranks.get(1);
    Span weights = rank.program.memory().span(rank.program.weights().get(0).name());
    weights.putFloat(5, Float.intBitsToFloat(1 ^ Float.floatToRawIntBits(weights.getFloat(5))));
  }

  @Test
  void aFlippedBitEndsEveryRankAtTheNextComparisonAndNotBefore() throws Exception {
    flipOneBit();
    assertThat(each(rank -> rank.watch.paused(99, rank.rounds))).containsOnly(Optional.empty());
    for (Optional<Throwable> thrown : each(rank -> rank.watch.paused(100, rank.rounds))) {
      assertThat(thrown.orElseThrow())
          .isInstanceOf(DeviceException.class)
          .hasMessageContaining("replicas differ in weight tensor ")
          .hasMessageContaining("rank 1: hash ");
    }
    assertThat(ranks.get(0).watch.pausesAfter(200, ranks.get(0).rounds)).isTrue();
    assertThat(ranks.get(0).watch.pausesAfter(150, ranks.get(0).rounds)).isFalse();
  }

  @Test
  void noCheckpointIsMadeOfReplicasThatDiffer() throws Exception {
    ranks.forEach(rank -> rank.step(3f, 1f, 1f));
    assertThat(each(rank -> rank.watch.saving(rank.progress, rank.rounds)))
        .containsOnly(Optional.empty());
    flipOneBit();
    ranks.forEach(rank -> rank.step(3f, 1f, 1f));
    for (Optional<Throwable> thrown : each(rank -> rank.watch.saving(rank.progress, rank.rounds))) {
      assertThat(thrown.orElseThrow()).isInstanceOf(DeviceException.class);
    }
  }

  @Test
  void aSpikeIsSeenByAllRanksInTheSameStepAndSkippedStepsAreNoPartOfIt() throws Exception {
    for (int step = 0; step < 20; step++) {
      float noise = step % 2 * 0.01f;
      ranks.forEach(rank -> rank.step(3f + noise, 1f + noise, 1f));
    }
    ranks.forEach(rank -> rank.step(9f, 9f, 1f));
    ranks.forEach(rank -> rank.step(Float.NaN, Float.NaN, 0f));
    assertThat(ranks).noneMatch(rank -> rank.watch.spiked());
    ranks.forEach(rank -> rank.step(9f, 9f, 1f));
    assertThat(ranks).allMatch(rank -> rank.watch.spiked());
    assertThat(ranks).allMatch(rank -> rank.watch.spikeStart() == 21);
    assertThat(ranks).allMatch(rank -> rank.watch.spikeEnd() == 23);
    assertThat(each(rank -> rank.watch.saving(rank.progress, rank.rounds)))
        .containsOnly(Optional.empty());
    assertThat(ranks.get(0).progress.guards()).isEqualTo(ranks.get(1).progress.guards());
  }
}
