package dev.kindling.worker.loop;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kindling.comm.loopback.LoopbackCommunicator;
import dev.kindling.configs.yaml.ByteSize;
import dev.kindling.kernels.backend.Backend;
import dev.kindling.kernels.backend.Communicator;
import dev.kindling.kernels.backend.DeviceException;
import dev.kindling.kernels.backend.Memory;
import dev.kindling.kernels.backend.Program;
import dev.kindling.kernels.backend.cpu.CpuBackend;
import dev.kindling.kernels.graph.Axis;
import dev.kindling.kernels.graph.Graph;
import dev.kindling.kernels.graph.Variable;
import dev.kindling.kernels.graph.rewrite.Recompute.Level;
import dev.kindling.optim.rule.Sgd;
import dev.kindling.worker.event.LogLine;
import dev.kindling.worker.event.WorkerEvent;
import dev.kindling.worker.launch.ThreadLauncher;
import dev.kindling.worker.model.Full;
import dev.kindling.worker.model.Gpt2;
import dev.kindling.worker.plan.GradientStorage;
import dev.kindling.worker.plan.MemorySpec;
import dev.kindling.worker.plan.Recomputation;
import dev.kindling.worker.step.MemoryFit;
import dev.kindling.worker.step.MemorySaving;
import dev.kindling.worker.step.StepGraphs;
import dev.kindling.worker.step.StepShape;
import dev.kindling.worker.step.TrainStep;
import dev.kindling.worker.store.LocalStorage;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class MemoryAgreementTest {
  private static final MemorySpec AUTO =
      new MemorySpec(Recomputation.AUTO, Optional.empty(), Optional.empty(), GradientStorage.AUTO);
  private static final StepGraphs GRAPHS =
      new StepGraphs(
          new Gpt2(32, 4, 4, Optional.empty(), Optional.of(611), 64, true, 0.02, 1e-5),
          new Full(),
          new Sgd(0.1, 0, false, 0, 0),
          new StepShape(256, 64, false, 1));

  @TempDir private Path folder;

  private final ExecutorService threads = Executors.newFixedThreadPool(2);
  private final List<WorkerEvent> events = Collections.synchronizedList(new ArrayList<>());

  @AfterEach
  void stop() {
    threads.shutdownNow();
  }

  /** A device that knows what is free and runs nothing. */
  private record Counting(OptionalLong bytesAvailable) implements Backend {
    @Override
    public String name() {
      return "counting";
    }

    @Override
    public Memory allocate(List<Variable> variables) {
      throw new UnsupportedOperationException();
    }

    @Override
    public long bytesNeeded(List<Variable> variables, List<Graph> programs) {
      return CpuBackend.planned(variables, programs);
    }

    @Override
    public Program compile(Graph graph, Memory memory, Map<Axis, Communicator> communicators) {
      throw new UnsupportedOperationException();
    }

    @Override
    public String choices() {
      return "";
    }

    @Override
    public void adopt(String choices) {}

    @Override
    public void close() {}
  }

  private static long price(Level level, int chunks) {
    return new MemoryFit(GRAPHS, AUTO, CpuBackend::planned).price(new MemorySaving(level, chunks));
  }

  /** What each of two ranks with so many free bytes uses. */
  private List<MemorySaving> agree(MemorySpec spec, OptionalLong... free) throws Exception {
    List<Communicator> world = LoopbackCommunicator.create(2);
    List<Future<MemorySaving>> ranks = new ArrayList<>();
    for (int rank = 0; rank < 2; rank++) {
      Communicator data = world.get(rank);
      Backend backend = new Counting(free[rank]);
      MemoryAgreement agreement =
          new MemoryAgreement(spec, backend, data, events::add, new LocalStorage(folder));
      ranks.add(threads.submit(() -> agreement.agree(GRAPHS).shape().saving()));
    }
    return List.of(ranks.get(0).get(), ranks.get(1).get());
  }

  private static OptionalLong bytes(long bytes) {
    return OptionalLong.of(bytes);
  }

  @Test
  void allRanksSaveWhatTheOneWithLeastMemoryNeeds() throws Exception {
    long much = price(Level.NONE, 1);
    long little = price(Level.ELEMENTS, 1);
    assertThat(agree(AUTO, bytes(much), bytes(little)))
        .containsOnly(new MemorySaving(Level.ELEMENTS, 1));
    assertThat(Files.readString(folder.resolve(MemoryAgreement.FILE)))
        .isEqualTo(
            "{\"recompute\":\"elements\",\"loss_chunks\":1,\"predicted_bytes\":%d,\"limit_bytes\":%d}"
                .formatted(little, little));
  }

  @Test
  void aResumeTakesTheWrittenChoiceAgainAlthoughMoreIsFree() throws Exception {
    agree(AUTO, bytes(price(Level.ELEMENTS, 1)), bytes(Long.MAX_VALUE));
    assertThat(agree(AUTO, bytes(Long.MAX_VALUE), bytes(Long.MAX_VALUE)))
        .containsOnly(new MemorySaving(Level.ELEMENTS, 1));
    assertThat(events).isEmpty();
  }

  @Test
  void aWrittenChoiceThatDoesNotFitAnyMoreIsReplacedAndSaid() throws Exception {
    agree(AUTO, bytes(Long.MAX_VALUE), bytes(Long.MAX_VALUE));
    assertThat(agree(AUTO, bytes(Long.MAX_VALUE), bytes(price(Level.BLOCKS, 8))))
        .containsOnly(new MemorySaving(Level.BLOCKS, 8));
    assertThat(events)
        .containsExactly(
            new LogLine(
                0,
                LogLine.Level.WARN,
                "memory: this run used recompute none, 1 loss chunk, which does not fit any more;"
                    + " from here on recompute blocks, 8 loss chunks"));
  }

  private static MemorySpec limited(long bytes) {
    return new MemorySpec(
        Recomputation.AUTO,
        Optional.empty(),
        Optional.of(new ByteSize(bytes)),
        GradientStorage.AUTO);
  }

  @Test
  void aChoiceUnderALimitIsTakenAgainAndAnotherLimitIsSaid() throws Exception {
    long elements = price(Level.ELEMENTS, 1);
    // Less was free than the limit allows: a resume with more free memory must keep the choice.
    assertThat(agree(limited(elements), bytes(price(Level.BLOCKS, 8)), bytes(Long.MAX_VALUE)))
        .containsOnly(new MemorySaving(Level.BLOCKS, 8));
    assertThat(agree(limited(elements), bytes(Long.MAX_VALUE), bytes(Long.MAX_VALUE)))
        .containsOnly(new MemorySaving(Level.BLOCKS, 8));
    assertThat(events).isEmpty();
    assertThat(agree(limited(elements + 1), bytes(Long.MAX_VALUE), bytes(Long.MAX_VALUE)))
        .containsOnly(new MemorySaving(Level.ELEMENTS, 1));
    assertThat(events)
        .containsExactly(
            new LogLine(
                0,
                LogLine.Level.WARN,
                "memory: this run used recompute blocks, 8 loss chunks, memory.limit was %s, now %s;"
                        .formatted(new ByteSize(elements), new ByteSize(elements + 1))
                    + " from here on recompute elements, 1 loss chunk"));
  }

  @Test
  void aCpuWhoseLimitIsGoneChoosesAgainAndRemembersThat() throws Exception {
    OptionalLong unknown = OptionalLong.empty();
    agree(limited(price(Level.BLOCKS, 8)), unknown, unknown);
    assertThat(agree(AUTO, unknown, unknown)).containsOnly(MemorySaving.NONE);
    assertThat(events).hasSize(1);
    assertThat(agree(AUTO, unknown, unknown)).containsOnly(MemorySaving.NONE);
    assertThat(events).hasSize(1);
  }

  @Test
  void aDamagedFileIsNamedWithWhatWasExpectedAndFoundOnEveryRank() throws Exception {
    Path file = folder.resolve(MemoryAgreement.FILE);
    Files.writeString(file, "{\"recompute\":\"elephants\",\"loss_chunks\":1}");
    assertThatThrownBy(() -> agree(AUTO, bytes(Long.MAX_VALUE), bytes(Long.MAX_VALUE)))
        .cause()
        .isInstanceOf(DeviceException.class)
        .hasMessageContainingAll(
            file.toString(),
            "expected one of none, activations, elements, blocks, found elephants");
    Files.writeString(file, "{\"recompute\":");
    assertThatThrownBy(() -> agree(AUTO, bytes(Long.MAX_VALUE), bytes(Long.MAX_VALUE)))
        .cause()
        .isInstanceOf(DeviceException.class)
        .hasMessageContainingAll(file.toString(), "expected a value");
  }

  @Test
  void aGivenLimitCountsMoreThanTheFileAndNoMoreThanTheDevice() throws Exception {
    agree(AUTO, bytes(Long.MAX_VALUE), bytes(Long.MAX_VALUE));
    long elements = price(Level.ELEMENTS, 1);
    assertThat(agree(limited(elements), bytes(Long.MAX_VALUE), bytes(Long.MAX_VALUE)))
        .containsOnly(new MemorySaving(Level.ELEMENTS, 1));
    assertThat(agree(limited(elements), bytes(price(Level.BLOCKS, 8)), bytes(Long.MAX_VALUE)))
        .containsOnly(new MemorySaving(Level.BLOCKS, 8));
  }

  @Test
  void withoutALimitNothingIsSavedAndNothingWritten() throws Exception {
    assertThat(agree(AUTO, OptionalLong.empty(), OptionalLong.empty()))
        .containsOnly(MemorySaving.NONE);
    assertThat(folder.resolve(MemoryAgreement.FILE)).doesNotExist();
  }

  @Test
  void tooLittleMemoryIsADeviceErrorOnEveryRank() {
    List<Communicator> world = LoopbackCommunicator.create(2);
    List<Future<TrainStep>> ranks = new ArrayList<>();
    for (Communicator data : world) {
      Backend backend = new Counting(bytes(data.rank() == 0 ? Long.MAX_VALUE : 1000));
      MemoryAgreement agreement =
          new MemoryAgreement(AUTO, backend, data, events::add, new LocalStorage(folder));
      ranks.add(threads.submit(() -> agreement.agree(GRAPHS)));
    }
    for (Future<TrainStep> rank : ranks) {
      assertThatThrownBy(rank::get)
          .isInstanceOf(ExecutionException.class)
          .cause()
          .isInstanceOf(DeviceException.class)
          .hasMessageContaining("found 1,000 that may be reserved");
    }
  }

  @Test
  void recomputeKeepsTheBitsOfARunOnTheCpuAndChunksKeepItsLossUpToRounding() throws Exception {
    String settings = "steps: 6\nglobal_batch: 128\nmicro_batch: 64\nranks: 1\n";
    Map<Long, Integer> expected = losses(settings, "memory.recompute=none");
    for (String level : List.of("activations", "elements", "blocks")) {
      assertThat(losses(settings, "memory.recompute=" + level)).as(level).isEqualTo(expected);
    }
    Map<Long, Integer> chunked = losses(settings, "memory.loss_chunks=3");
    expected.forEach(
        (step, bits) ->
            assertThat(Float.intBitsToFloat(chunked.get(step)) / Float.intBitsToFloat(bits))
                .isBetween(1 - 1e-5f, 1 + 1e-5f));
  }

  @Test
  void aRunWithoutMastersResumesWithEqualBits() throws Exception {
    String settings = "steps: 6\nglobal_batch: 128\nmicro_batch: 64\nranks: 1\n";
    Map<Long, Integer> whole = losses(settings, "optimizer.master=false");
    assertThat(whole).hasSize(6);
    assertThat(whole).isNotEqualTo(losses(settings, "optimizer.master=true"));
    Path own = folder.resolve("resumed");
    Map<Long, Integer> both = new java.util.TreeMap<>();
    for (String steps : List.of("steps=3", "steps=6")) {
      SmallRun run =
          SmallRun.in(own, settings, "optimizer.master=false", "schedule={type: constant}", steps);
      both.putAll(run.run(new ThreadLauncher(), StopSignal.NEVER).lossBits());
    }
    assertThat(both)
        .isEqualTo(losses(settings, "optimizer.master=false", "schedule={type: constant}"));
  }

  private Map<Long, Integer> losses(String settings, String... sets) throws InterruptedException {
    Path own = folder.resolve("run" + sets.length + sets[0]);
    return SmallRun.in(own, settings, sets).run(new ThreadLauncher(), StopSignal.NEVER).lossBits();
  }
}
