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
import dev.kindling.optim.outer.EveryStep;
import dev.kindling.worker.shard.Held;
import dev.kindling.worker.step.StepProgram;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ReplicaCheckTest {
  private static final String SETTINGS =
      """
      steps: 4
      global_batch: 192
      micro_batch: 32
      ranks: %d
      mesh: {zero: %d}
      """;

  @TempDir private Path folder;

  private final ExecutorService threads = Executors.newCachedThreadPool();
  private final List<Rank> ranks = new ArrayList<>();

  private record Rank(Backend backend, StepProgram program, ReplicaCheck check)
      implements AutoCloseable {
    static Rank of(SmallRun run, Communicator data) {
      Backend backend = Backend.cpu(new CpuOptions(1, MatmulKind.JAVA));
      StepProgram program =
          StepProgram.compile(WorkerTask.graphs(run.plan(), run.shards()), backend, data);
      return new Rank(backend, program, new ReplicaCheck(program, new EveryStep(), data));
    }

    List<Held> replicas() {
      List<Held> all = new ArrayList<>(program.weights());
      all.addAll(program.state());
      return all.stream().filter(Held::isWhole).toList();
    }

    @Override
    public void close() {
      program.close();
      backend.close();
    }
  }

  private void start(int worldSize, int zero) throws Exception {
    SmallRun run = SmallRun.in(folder, String.format(SETTINGS, worldSize, zero));
    for (Communicator data : LoopbackCommunicator.create(worldSize)) {
      ranks.add(Rank.of(run, data));
    }
    each(rank -> rank.program.fill(3));
  }

  private interface Action {
    void on(Rank rank);
  }

  /** What each rank threw. */
  private List<Optional<Throwable>> each(Action action) throws Exception {
    List<Future<Optional<Throwable>>> futures = new ArrayList<>();
    for (Rank rank : ranks) {
      futures.add(threads.submit(() -> Optional.ofNullable(catchThrowable(() -> action.on(rank)))));
    }
    List<Optional<Throwable>> thrown = new ArrayList<>();
    for (Future<Optional<Throwable>> future : futures) {
      thrown.add(future.get());
    }
    return thrown;
  }

  @AfterEach
  void stop() {
    threads.shutdownNow();
    ranks.forEach(Rank::close);
  }

  private void flip(int rank, Held held, long bit) {
    Span span = ranks.get(rank).program.memory().span(held.name());
    long element = bit / Integer.SIZE;
    int flipped = Float.floatToRawIntBits(span.getFloat(element)) ^ (1 << (bit % Integer.SIZE));
    span.putFloat(element, Float.intBitsToFloat(flipped));
  }

  private void everyFlipIsFound(int trials, int lame) throws Exception {
    assertThat(each(rank -> rank.check.check(100))).containsOnly(Optional.empty());
    List<Held> replicas = ranks.get(0).replicas();
    Random random = new Random(9);
    for (int trial = 0; trial < trials; trial++) {
      Held held = replicas.get(random.nextInt(replicas.size()));
      long bit = random.nextInt(Math.toIntExact(held.elements() * Integer.SIZE));
      flip(lame, held, bit);
      for (Optional<Throwable> thrown : each(rank -> rank.check.check(100))) {
        assertThat(thrown.orElseThrow())
            .isInstanceOf(DeviceException.class)
            .hasMessageContaining("after step 100 replicas differ in ")
            .hasMessageContaining("tensor " + held.name() + " (")
            .hasMessageContaining("rank " + lame + ": hash ");
      }
      flip(lame, held, bit);
    }
    assertThat(each(rank -> rank.check.check(200))).containsOnly(Optional.empty());
  }

  @Test
  void everyFlippedBitOfWeightsAndStatesIsFoundInAWorldOfTwo() throws Exception {
    start(2, 0);
    everyFlipIsFound(100, 1);
  }

  @Test
  void theMajorityOfThreeNamesTheCulprit() throws Exception {
    start(3, 0);
    everyFlipIsFound(20, 1);
    flip(2, ranks.get(0).program.weights().get(0), 77);
    assertThat(each(rank -> rank.check.check(100)).get(0).orElseThrow())
        .hasMessageContaining("(rank 2: hash ")
        .hasMessageContaining("; ranks 0, 1: hash ")
        .hasMessageEndingWith("the fewer are suspected");
  }

  @Test
  void twoCannotTellWhichIsWrong() throws Exception {
    start(2, 0);
    flip(0, ranks.get(0).program.weights().get(0), 3);
    assertThat(each(rank -> rank.check.check(7)).get(1).orElseThrow())
        .hasMessageEndingWith("which is wrong cannot be told");
  }

  @Test
  void piecesHaveNoReplicasButWholeTensorsBesideThemDo() throws Exception {
    start(2, 3);
    assertThat(ranks.get(0).replicas()).isNotEmpty();
    assertThat(ranks.get(0).program.weights()).anyMatch(held -> !held.isWhole());
    everyFlipIsFound(20, 1);
  }

  @Test
  void aWorldOfOneHasNothingToCompare() throws Exception {
    start(1, 0);
    flip(0, ranks.get(0).program.weights().get(0), 3);
    assertThat(each(rank -> rank.check.check(7))).containsOnly(Optional.empty());
  }
}
