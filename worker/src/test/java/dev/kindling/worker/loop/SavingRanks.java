package dev.kindling.worker.loop;

import static org.assertj.core.api.Assertions.catchThrowable;

import dev.kindling.comm.loopback.LoopbackCommunicator;
import dev.kindling.kernels.backend.Backend;
import dev.kindling.kernels.backend.Communicator;
import dev.kindling.kernels.backend.CpuOptions;
import dev.kindling.kernels.backend.MatmulKind;
import dev.kindling.kernels.graph.Role;
import dev.kindling.kernels.memory.Span;
import dev.kindling.worker.checkpoint.CheckpointStore;
import dev.kindling.worker.checkpoint.TrainState;
import dev.kindling.worker.event.CheckpointSaved;
import dev.kindling.worker.event.WorkerEvent;
import dev.kindling.worker.step.StepProgram;
import dev.kindling.worker.store.LocalStorage;
import dev.kindling.worker.store.Storage;
import dev.kindling.worker.store.WatchedStorage;
import java.io.IOException;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/** Two ranks, threads of this JVM, with programs and checkpoints and without steps. */
final class SavingRanks implements AutoCloseable {
  private static final String SETTINGS =
      """
      steps: 4
      global_batch: 128
      micro_batch: 64
      ranks: 2
      mesh: {zero: %d}
      """;

  /** What the disk of one rank does when it is to create a file. */
  interface Trouble {
    void at(String file) throws IOException, InterruptedException;

    /** Whether it does so for whatever else it is asked. */
    default boolean always() {
      return false;
    }
  }

  private final Path checkpoints;
  private final ExecutorService threads = Executors.newFixedThreadPool(2);
  private final List<Rank> ranks = new ArrayList<>();
  private volatile Trouble ofRank0 = file -> {};
  private volatile Trouble ofRank1 = file -> {};

  final class Rank implements AutoCloseable {
    final List<WorkerEvent> events = new CopyOnWriteArrayList<>();
    final StepProgram program;
    final Checkpointing checkpoints;
    private final Backend backend = Backend.cpu(new CpuOptions(1, MatmulKind.JAVA));

    Rank(SmallRun run, WorkerAssignment assignment, Communicator data, Duration patience) {
      program = StepProgram.compile(WorkerTask.graphs(run.plan(), run.shards()), backend, data);
      Storage storage = troubled(data.rank());
      RunIdentity identity = RunIdentity.of(run.plan(), assignment, run.shards());
      CheckpointStore store =
          CheckpointStore.openOfRank(new WatchedStorage(storage, patience), 2, data.rank(), 2);
      checkpoints = new Checkpointing(store, program, data, events::add, identity);
    }

    void fill(float value) {
      for (Role role : List.of(Role.PARAMETER, Role.SHARD)) {
        Span weights = program.memory().arena(role);
        for (long i = 0; i < weights.bytes() / Float.BYTES; i++) {
          weights.putFloat(i, value + i);
        }
      }
    }

    /** What the rank holds of each weight. */
    List<float[]> weights() {
      return program.weights().stream()
          .map(held -> program.memory().span(held.name()).toFloats())
          .toList();
    }

    /** What it told of saves. */
    List<CheckpointSaved> saves() {
      return events.stream()
          .filter(CheckpointSaved.class::isInstance)
          .map(CheckpointSaved.class::cast)
          .toList();
    }

    @Override
    public void close() {
      checkpoints.close();
      program.close();
      backend.close();
    }
  }

  SavingRanks(Path folder, int zero) {
    this(folder, zero, Duration.ofMinutes(2));
  }

  /**
   * @param folder empty
   * @param zero how the state is sharded
   * @param patience with the storage
   */
  SavingRanks(Path folder, int zero, Duration patience) {
    checkpoints = folder.resolve("checkpoints");
    SmallRun run = SmallRun.in(folder, String.format(SETTINGS, zero));
    WorkerAssignment assignment = run.assignment();
    claimEpoch();
    for (Communicator data : LoopbackCommunicator.create(2)) {
      ranks.add(new Rank(run, assignment, data, patience));
    }
  }

  /** From here on saves are written beside the steps. */
  List<Communicator> saveBeside() throws Exception {
    List<Communicator> beside = LoopbackCommunicator.create(2);
    together(
        rank -> {
          ranks.get(rank).checkpoints.saveBeside(() -> beside.get(rank));
          return 0;
        });
    return beside;
  }

  Rank rank(int rank) {
    return ranks.get(rank);
  }

  List<Rank> all() {
    return ranks;
  }

  /** As a newer driver does. */
  void claimEpoch() {
    CheckpointStore.open(new LocalStorage(checkpoints), 2).claimEpoch();
  }

  void trouble(int rank, Trouble trouble) {
    if (rank == 0) {
      ofRank0 = trouble;
    } else {
      ofRank1 = trouble;
    }
  }

  /** A disk without room for files whose names hold this. */
  static Trouble full(String part) {
    return file -> {
      if (file.contains(part)) {
        throw new IOException("no space left on device");
      }
    };
  }

  /** A disk that does not answer for such files before it is released. */
  static Trouble hangs(String part, CountDownLatch release) {
    return file -> {
      boolean interrupted = false;
      while (file.contains(part) && release.getCount() > 0) {
        try {
          release.await();
        } catch (InterruptedException deaf) {
          // Nobody stops a thread that waits in the kernel.
          interrupted = true;
        }
      }
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
    };
  }

  /** A disk that answers nothing at all before it is released. */
  static Trouble silent(CountDownLatch release) {
    Trouble hanging = hangs("", release);
    return new Trouble() {
      @Override
      public void at(String file) throws IOException, InterruptedException {
        hanging.at(file);
      }

      @Override
      public boolean always() {
        return true;
      }
    };
  }

  private Storage troubled(int rank) {
    Storage storage = new LocalStorage(checkpoints);
    return (Storage)
        Proxy.newProxyInstance(
            Storage.class.getClassLoader(),
            new Class<?>[] {Storage.class},
            (proxy, method, arguments) -> {
              Trouble trouble = rank == 0 ? ofRank0 : ofRank1;
              boolean creates = List.of("create", "commitExclusive").contains(method.getName());
              if (creates || (trouble.always() && !method.getName().equals("location"))) {
                trouble.at(String.valueOf(arguments[0]));
              }
              try {
                return method.invoke(storage, arguments);
              } catch (InvocationTargetException thrown) {
                throw thrown.getCause();
              }
            });
  }

  /** What one rank does. */
  interface Body<T> {
    T of(int rank) throws Exception;
  }

  private <T> List<T> together(Body<T> body) throws Exception {
    Callable<T> first = () -> body.of(0);
    Callable<T> second = () -> body.of(1);
    List<T> results = new ArrayList<>();
    for (Future<T> each : threads.invokeAll(List.of(first, second))) {
      results.add(each.get());
    }
    return results;
  }

  /** What save threw on each rank. */
  List<Optional<Throwable>> save(long step, boolean last) throws Exception {
    return together(
        rank -> {
          Progress progress = new Progress(step, step * 128, List.of(), 128);
          @Nullable Throwable thrown =
              catchThrowable(() -> ranks.get(rank).checkpoints.save(progress, last));
          return Optional.ofNullable(thrown);
        });
  }

  List<Optional<TrainState>> restore() throws Exception {
    return together(rank -> ranks.get(rank).checkpoints.restore());
  }

  List<Optional<TrainState>> rollBack(long step) throws Exception {
    return together(rank -> ranks.get(rank).checkpoints.rollBack(step));
  }

  /** Files of tensors. */
  List<Path> parts() throws IOException {
    try (Stream<Path> walk = Files.walk(checkpoints.resolve("data"))) {
      return walk.filter(Files::isRegularFile).sorted().toList();
    }
  }

  @Override
  public void close() {
    threads.shutdownNow();
    ranks.forEach(Rank::close);
  }
}
