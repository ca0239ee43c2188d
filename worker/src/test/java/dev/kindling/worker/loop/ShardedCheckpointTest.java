package dev.kindling.worker.loop;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kindling.comm.loopback.LoopbackCommunicator;
import dev.kindling.kernels.backend.Backend;
import dev.kindling.kernels.backend.Communicator;
import dev.kindling.kernels.backend.CpuOptions;
import dev.kindling.kernels.backend.MatmulKind;
import dev.kindling.kernels.memory.Span;
import dev.kindling.worker.checkpoint.CheckpointStore;
import dev.kindling.worker.checkpoint.Generation;
import dev.kindling.worker.checkpoint.PartCut;
import dev.kindling.worker.checkpoint.PartKind;
import dev.kindling.worker.checkpoint.StoredTensor;
import dev.kindling.worker.event.StepDone;
import dev.kindling.worker.launch.ThreadLauncher;
import dev.kindling.worker.shard.Held;
import dev.kindling.worker.step.StepProgram;
import dev.kindling.worker.store.LocalStorage;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Checkpoints do not show how many ranks wrote them, nor how these were sharded. */
class ShardedCheckpointTest {
  private static final String SETTINGS =
      """
      steps: %d
      global_batch: 256
      micro_batch: 64
      ranks: %d
      mesh: {zero: %d}
      """;

  @TempDir private Path folder;

  /** Cuts the state of every rank into several parts. */
  private static final PartCut SMALL = new PartCut(0, 2048);

  private PartCut cut = SMALL;

  private List<String> rule = List.of();

  private String[] sets() {
    return rule.toArray(String[]::new);
  }

  private CheckpointStore store() {
    return CheckpointStore.open(new LocalStorage(folder.resolve("checkpoints")), 9, cut);
  }

  /** Loads what is there, or fills, then saves as the given step. */
  private void loadAndSave(SmallRun run, int zero, int ranks, long step, long epoch)
      throws Exception {
    SmallRun own = SmallRun.in(folder, String.format(SETTINGS, 4, ranks, zero), sets());
    WorkerAssignment given = run.assignment();
    WorkerAssignment assignment =
        new WorkerAssignment(
            given.configYaml(),
            given.runDir(),
            given.dataDir(),
            given.attempt(),
            epoch,
            "",
            new byte[32]);
    ExecutorService threads = Executors.newFixedThreadPool(ranks);
    try {
      List<Future<?>> done = new ArrayList<>();
      for (Communicator data : LoopbackCommunicator.create(ranks)) {
        done.add(threads.submit(() -> loadAndSave(own, assignment, data, step)));
      }
      for (Future<?> rank : done) {
        rank.get();
      }
    } finally {
      threads.shutdownNow();
    }
  }

  private void loadAndSave(
      SmallRun run, WorkerAssignment assignment, Communicator data, long step) {
    try (Backend backend = Backend.cpu(new CpuOptions(1, MatmulKind.JAVA));
        StepProgram program =
            StepProgram.compile(WorkerTask.graphs(run.plan(), run.shards()), backend, data)) {
      RunIdentity identity = RunIdentity.of(run.plan(), assignment, run.shards());
      Checkpointing checkpoints = new Checkpointing(store(), program, data, e -> {}, identity);
      if (checkpoints.restore().isEmpty()) {
        program.fill(7);
        program.state().forEach(held -> number(held, program.memory().span(held.name())));
      }
      checkpoints.save(new Progress(step, step * 256, List.of(), 256), true);
    }
  }

  /** Every element another number, the same for any sharding. */
  private static void number(Held held, Span span) {
    for (long i = 0; i < held.elements(); i++) {
      span.putFloat(i, held.name().hashCode() % 1000 + (held.from() + i) / 4096f);
    }
  }

  private Map<String, String> hashes() {
    Generation newest = store().newestValid(new ArrayList<>()).orElseThrow();
    Map<String, String> hashes = new TreeMap<>();
    for (PartKind kind : PartKind.values()) {
      for (StoredTensor tensor : newest.tensors(kind).values()) {
        hashes.put(kind + " " + tensor.name() + tensor.dims(), tensor.sha256());
      }
    }
    return hashes;
  }

  /** Of APOLLO wide matrices have moments that no rank cuts, tall ones pieces of them. */
  @ParameterizedTest
  @ValueSource(strings = {"adamw", "apollo"})
  void anyLayoutReadsWhatAnyOtherWroteAndWritesTheSameBits(String optimizer) throws Exception {
    rule = List.of("optimizer.type=" + optimizer);
    if (optimizer.equals("apollo")) {
      rule = List.of("optimizer.type=apollo", "optimizer.rank=8", "optimizer.scale=auto");
    }
    SmallRun run = SmallRun.in(folder, String.format(SETTINGS, 4, 1, 0), sets());
    long epoch = store().claimEpoch();
    cut = new PartCut(Long.MAX_VALUE, 1);
    loadAndSave(run, 0, 1, 1, epoch);
    Map<String, String> plain = hashes();
    cut = SMALL;
    // Gains start equal; everything else would show a piece in the wrong place.
    assertThat(plain.entrySet().stream().filter(e -> e.getKey().startsWith("OPTIMIZER")))
        .extracting(Map.Entry::getValue)
        .doesNotHaveDuplicates();
    int[][] layouts = {{3, 2}, {0, 1}, {3, 2}, {3, 4}, {1, 4}, {2, 2}, {0, 2}, {0, 1}};
    long step = 2;
    for (int[] layout : layouts) {
      loadAndSave(run, layout[0], layout[1], step, epoch);
      Generation newest = store().newestValid(new ArrayList<>()).orElseThrow();
      assertThat(newest.step()).isEqualTo(step++);
      assertThat(newest.worldSize()).isEqualTo(layout[1]);
      assertThat(newest.partPaths(PartKind.MODEL)).hasSizeGreaterThan(3 * layout[1]);
      assertThat(hashes()).as("zero %d on %d ranks", layout[0], layout[1]).isEqualTo(plain);
    }
  }

  @Test
  void firstWeightsDoNotDependOnTheLayout() throws Exception {
    Map<String, String> plain = null;
    int[][] layouts = {{0, 1}, {3, 2}, {1, 4}};
    for (int[] layout : layouts) {
      folder = folder.resolve("z" + layout[0]);
      SmallRun run = SmallRun.in(folder, String.format(SETTINGS, 4, 1, 0));
      loadAndSave(run, layout[0], layout[1], 1, store().claimEpoch());
      plain = plain == null ? hashes() : plain;
      assertThat(hashes()).isEqualTo(plain);
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 3})
  void aShardedRunThatWasStoppedAndResumedEqualsAnUndisturbedOne(int zero) throws Exception {
    String settings = String.format(SETTINGS, 9, 2, zero);
    SmallRun whole = SmallRun.in(folder.resolve("whole"), settings);
    SmallRun.Outcome expected = whole.run(new ThreadLauncher(), StopSignal.NEVER);
    SmallRun cut = SmallRun.in(folder.resolve("cut"), settings);
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
    SmallRun.Outcome second = cut.run(new ThreadLauncher(), StopSignal.NEVER);
    Map<Long, Integer> joined = new TreeMap<>(first.lossBits());
    joined.putAll(second.lossBits());
    assertThat(joined).isEqualTo(expected.lossBits());
    assertThat(second.validationBits().get(9L)).isEqualTo(expected.validationBits().get(9L));
    assertThat(newest(cut).stateHash()).isEqualTo(newest(whole).stateHash());
  }

  private static Generation newest(SmallRun run) {
    return run.store().newestValid(new ArrayList<>()).orElseThrow();
  }
}
