package dev.kindling.worker.loop;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;

import dev.kindling.comm.loopback.LoopbackCommunicator;
import dev.kindling.kernels.backend.Backend;
import dev.kindling.kernels.backend.Communicator;
import dev.kindling.kernels.backend.CpuOptions;
import dev.kindling.kernels.backend.MatmulKind;
import dev.kindling.kernels.graph.Role;
import dev.kindling.kernels.memory.Span;
import dev.kindling.worker.checkpoint.CheckpointException;
import dev.kindling.worker.checkpoint.CheckpointStore;
import dev.kindling.worker.checkpoint.TrainState;
import dev.kindling.worker.event.CheckpointSaved;
import dev.kindling.worker.event.WorkerEvent;
import dev.kindling.worker.step.StepProgram;
import dev.kindling.worker.store.LocalStorage;
import dev.kindling.worker.store.Storage;
import java.io.IOException;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class CheckpointingTest {
  private static final String SETTINGS =
      """
      steps: 4
      global_batch: 128
      micro_batch: 64
      ranks: 2
      mesh: {zero: %d}
      """;

  @TempDir private Path folder;

  private final AtomicBoolean diskFull = new AtomicBoolean();

  /** Files that do not fit on a full disk: those whose names hold this. */
  private volatile String tooLarge = "";

  private final ExecutorService threads = Executors.newFixedThreadPool(2);
  private final List<Rank> ranks = new ArrayList<>();

  /** One rank with a program of its own; only the disk of rank 1 can be full. */
  private final class Rank implements AutoCloseable {
    private final List<WorkerEvent> events = new ArrayList<>();
    private final Backend backend = Backend.cpu(new CpuOptions(1, MatmulKind.JAVA));
    private final StepProgram program;
    private final Checkpointing checkpoints;

    Rank(SmallRun run, WorkerAssignment assignment, Communicator data) {
      program = StepProgram.compile(WorkerTask.graphs(run.plan(), run.shards()), backend, data);
      Storage local = new LocalStorage(folder.resolve("checkpoints"));
      Storage storage = data.rank() == 1 ? mayBeFull(local) : local;
      RunIdentity identity = RunIdentity.of(run.plan(), assignment, run.shards());
      checkpoints =
          new Checkpointing(CheckpointStore.open(storage, 2), program, data, events::add, identity);
    }

    void fill(float value) {
      for (Role role : List.of(Role.PARAMETER, Role.SHARD)) {
        Span weights = program.memory().arena(role);
        for (long i = 0; i < weights.bytes() / Float.BYTES; i++) {
          weights.putFloat(i, value + i);
        }
      }
    }

    @Override
    public void close() {
      program.close();
      backend.close();
    }
  }

  private Storage mayBeFull(Storage storage) {
    return (Storage)
        Proxy.newProxyInstance(
            Storage.class.getClassLoader(),
            new Class<?>[] {Storage.class},
            (proxy, method, arguments) -> {
              if (diskFull.get()
                  && method.getName().equals("create")
                  && String.valueOf(arguments[0]).contains(tooLarge)) {
                throw new IOException("no space left on device");
              }
              try {
                return method.invoke(storage, arguments);
              } catch (InvocationTargetException thrown) {
                throw thrown.getCause();
              }
            });
  }

  private void start(int zero) {
    SmallRun run = SmallRun.in(folder, String.format(SETTINGS, zero));
    WorkerAssignment assignment = run.assignment();
    CheckpointStore.open(new LocalStorage(folder.resolve("checkpoints")), 2).claimEpoch();
    for (Communicator data : LoopbackCommunicator.create(2)) {
      ranks.add(new Rank(run, assignment, data));
    }
  }

  @AfterEach
  void stop() {
    threads.shutdownNow();
    ranks.forEach(Rank::close);
  }

  /** What save threw on each rank. */
  private List<Optional<Throwable>> save(long step, boolean mustSucceed) throws Exception {
    List<Future<Optional<Throwable>>> saves = new ArrayList<>();
    for (Rank rank : ranks) {
      Progress progress = new Progress(step, step * 128, List.of(), 128);
      saves.add(
          threads.submit(
              () -> {
                @Nullable Throwable thrown =
                    catchThrowable(() -> rank.checkpoints.save(progress, mustSucceed));
                return Optional.ofNullable(thrown);
              }));
    }
    List<Optional<Throwable>> thrown = new ArrayList<>();
    for (Future<Optional<Throwable>> save : saves) {
      thrown.add(save.get());
    }
    return thrown;
  }

  private List<Optional<TrainState>> restore() throws Exception {
    List<Future<Optional<TrainState>>> states = new ArrayList<>();
    for (Rank rank : ranks) {
      states.add(threads.submit(rank.checkpoints::restore));
    }
    return List.of(states.get(0).get(), states.get(1).get());
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 3})
  void aNewerEpochEndsEveryRankAtItsNextSave(int zero) throws Exception {
    start(zero);
    assertThat(restore()).containsOnly(Optional.empty());
    CheckpointStore.open(new LocalStorage(folder.resolve("checkpoints")), 2).claimEpoch();
    for (Optional<Throwable> thrown : save(1, false)) {
      assertThat(thrown.orElseThrow())
          .isInstanceOf(CheckpointException.class)
          .hasMessageContaining("fenced: this run holds epoch 1, a newer start of it took epoch 2");
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 3})
  void aFailedSaveIsAnEventAndTheLastOneThrowsOnEveryRank(int zero) throws Exception {
    start(zero);
    assertThat(restore()).containsOnly(Optional.empty());
    diskFull.set(true);
    assertThat(save(1, false)).containsOnly(Optional.empty());
    assertThat(ranks).allMatch(rank -> rank.checkpoints.lastCommit().isEmpty());
    assertThat(ranks.get(1).events).isEmpty();
    assertThat(ranks.get(0).events)
        .singleElement()
        .isInstanceOfSatisfying(
            CheckpointSaved.class,
            saved -> {
              assertThat(saved.step()).isEqualTo(1);
              assertThat(saved.name()).isEmpty();
              assertThat(saved.failure()).contains("rank 1").contains("no space left");
            });
    for (Optional<Throwable> thrown : save(2, true)) {
      assertThat(thrown.orElseThrow())
          .isInstanceOf(CheckpointException.class)
          .hasMessageContaining("the last checkpoint could not be saved")
          .hasMessageContaining("no space left");
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 3})
  void afterAFailedSaveTheNextOneCommitsAndRestoresEveryBit(int zero) throws Exception {
    start(zero);
    ranks.forEach(rank -> rank.fill(3f));
    diskFull.set(true);
    save(1, false);
    diskFull.set(false);
    assertThat(save(2, true)).containsOnly(Optional.empty());
    String commit = ranks.get(0).checkpoints.lastCommit();
    assertThat(commit).isNotEmpty();
    assertThat(ranks.get(1).checkpoints.lastCommit()).isEqualTo(commit);
    List<float[]> weights = contents(ranks.get(0));
    ranks.forEach(rank -> rank.fill(-1f));
    for (Optional<TrainState> state : restore()) {
      assertThat(state.orElseThrow().step()).isEqualTo(2);
      assertThat(state.orElseThrow().tokens()).isEqualTo(256);
    }
    for (Rank rank : ranks) {
      List<float[]> found = contents(rank);
      for (int i = 0; i < weights.size(); i++) {
        assertThat(found.get(i)).isEqualTo(weights.get(i));
      }
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 3})
  void afterAFailedSaveNoRankLeavesAFile(int zero) throws Exception {
    start(zero);
    ranks.forEach(rank -> rank.fill(3f));
    assertThat(save(1, true)).containsOnly(Optional.empty());
    List<Path> committed = parts();
    diskFull.set(true);
    // Rank 1 has written its weights by then, rank 0 everything.
    tooLarge = "/opt-";
    assertThat(save(2, false)).containsOnly(Optional.empty());
    assertThat(ranks.get(0).events.get(1))
        .isInstanceOfSatisfying(
            CheckpointSaved.class, saved -> assertThat(saved.failure()).contains("opt-"));
    assertThat(parts()).isEqualTo(committed).isNotEmpty();
    for (Optional<TrainState> state : restore()) {
      assertThat(state.orElseThrow().step()).isEqualTo(1);
    }
  }

  private List<Path> parts() throws IOException {
    try (Stream<Path> walk = Files.walk(folder.resolve("checkpoints").resolve("data"))) {
      return walk.filter(Files::isRegularFile).sorted().toList();
    }
  }

  /** What the rank holds of each weight. */
  private static List<float[]> contents(Rank rank) {
    return rank.program.weights().stream()
        .map(held -> rank.program.memory().span(held.name()).toFloats())
        .toList();
  }
}
