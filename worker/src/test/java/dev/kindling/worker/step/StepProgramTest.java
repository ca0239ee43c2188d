package dev.kindling.worker.step;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.kindling.comm.loopback.LoopbackCommunicator;
import dev.kindling.kernels.backend.Backend;
import dev.kindling.kernels.backend.Communicator;
import dev.kindling.kernels.backend.CpuOptions;
import dev.kindling.kernels.backend.DeviceException;
import dev.kindling.kernels.backend.MatmulKind;
import dev.kindling.kernels.backend.Memory;
import dev.kindling.kernels.backend.Program;
import dev.kindling.kernels.graph.Graph;
import dev.kindling.kernels.graph.Role;
import dev.kindling.kernels.memory.Span;
import dev.kindling.optim.rule.AdamW;
import dev.kindling.optim.rule.Sgd;
import dev.kindling.optim.rule.UpdateRule;
import dev.kindling.worker.shard.Sharding;
import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

class StepProgramTest {
  /** Without momentum and clip an update is a linear function of the gradient. */
  private static final UpdateRule LINEAR = new Sgd(0.5, 0, false, 0, 0);

  private static final UpdateRule ADAMW = new AdamW(0.01, 0.9, 0.95, 1e-8, 0.1, 1.0);
  private static final int TOKENS = 8 * StepRank.SEQUENCE;

  private static StepRank alone(UpdateRule rule, int sequences, int localShards) {
    return new StepRank(rule, sequences, localShards, LoopbackCommunicator.create(1).get(0));
  }

  @Test
  void microStepsThatAccumulateEqualOneLargeMicroBatch() {
    try (StepRank whole = alone(LINEAR, 8, 1);
        StepRank parts = alone(LINEAR, 2, 1)) {
      float[] before = whole.weights();
      expectSame(parts.step(0, 8), whole.step(0, 8));
      expectSame(parts.weights(), whole.weights());
      assertThat(largestDifference(before, whole.weights())).isGreaterThan(1e-2f);
    }
  }

  @Test
  void levelsOfTheStashAddTheShardsUpAsABinaryTree() {
    try (StepRank tree = alone(LINEAR, 1, 8);
        StepRank chain = alone(LINEAR, 1, 1)) {
      float[] loss = new float[8];
      for (int shard = 0; shard < 8; shard++) {
        tree.write(shard);
        loss[shard] = tree.program().evaluate().lossSum();
      }
      StepOutcome outcome = tree.step(0, 8);
      float left = (loss[0] + loss[1]) + (loss[2] + loss[3]);
      float right = (loss[4] + loss[5]) + (loss[6] + loss[7]);
      assertThat(outcome.lossSum()).isEqualTo(left + right);
      expectSame(outcome, chain.step(0, 8));
      expectSame(tree.weights(), chain.weights());
      // Nothing of the first step is left in a level.
      expectSame(tree.step(8, 8), chain.step(8, 8));
    }
  }

  /** A CPU has no narrow precision. */
  @Test
  void freshGradientsOfACpuHaveTheSameBits() {
    StepGraphs wide = StepRank.graphs(2, ADAMW, 4, 1, Sharding.none());
    try (StepRank fresh =
            new StepRank(wide.withNarrowGradients(), LoopbackCommunicator.create(1).get(0));
        StepRank plain = new StepRank(wide, LoopbackCommunicator.create(1).get(0))) {
      fresh.program().dryRun();
      assertThat(fresh.bits(Role.FRESH_GRADIENT)).isNotEmpty().containsOnly(0);
      fresh.fill();
      plain.fill();
      for (int first = 0; first < 12; first += 4) {
        assertThat(fresh.step(first, 4)).isEqualTo(plain.step(first, 4));
      }
      assertThat(fresh.bits(Role.PARAMETER)).isEqualTo(plain.bits(Role.PARAMETER));
      assertThat(fresh.bits(Role.STATE)).isEqualTo(plain.bits(Role.STATE));
    }
  }

  @Test
  void aSkippedStepLeavesEveryBitAndTheNextOneGoesOn() {
    try (StepRank hurt = alone(ADAMW, 4, 1);
        StepRank twin = alone(ADAMW, 4, 1)) {
      hurt.step(0, 8);
      twin.step(0, 8);
      Span gain = hurt.program().memory().span("model.norm.weight");
      float kept = gain.getFloat(3);
      gain.putFloat(3, Float.POSITIVE_INFINITY);
      int[] weights = hurt.bits(Role.PARAMETER);
      int[] state = hurt.bits(Role.STATE);
      StepOutcome outcome = hurt.step(8, 8);
      hurt.takeBackUpdate();
      assertThat(outcome.skipped()).isTrue();
      assertThat(outcome.scale()).isZero();
      assertThat(hurt.bits(Role.PARAMETER)).isEqualTo(weights);
      assertThat(hurt.bits(Role.STATE)).isEqualTo(state);
      assertThat(hurt.bits(Role.GRADIENT)).containsOnly(0);
      gain.putFloat(3, kept);
      assertThat(hurt.step(16, 8)).isEqualTo(twin.step(16, 8));
      assertThat(hurt.bits(Role.PARAMETER)).isEqualTo(twin.bits(Role.PARAMETER));
      assertThat(hurt.bits(Role.STATE)).isEqualTo(twin.bits(Role.STATE));
    }
  }

  /** A program that cannot be closed: one whose graph the driver does not let go of. */
  private record Stuck(Program own, List<String> closed) implements Program {
    @Override
    public void run() {
      own.run();
    }

    @Override
    public void submit(int slot) {
      own.submit(slot);
    }

    @Override
    public Graph graph() {
      return own.graph();
    }

    @Override
    public long activationBytes() {
      return own.activationBytes();
    }

    @Override
    public void close() {
      own.close();
      closed.add("program");
      throw new DeviceException("program " + closed.size());
    }
  }

  /** With 1, 2 and 3 micro-steps: a step then ends in the slot of the one before, or not. */
  @Test
  void stepsInFlightHaveTheOutcomesAndTheBitsOfStepsOneByOne() {
    for (int micros = 1; micros <= 3; micros++) {
      StepGraphs graphs = StepRank.graphs(16, ADAMW, 2, 1);
      try (StepRank calm = new StepRank(graphs, LoopbackCommunicator.create(1).get(0));
          StepRank late =
              new StepRank(
                  graphs, LoopbackCommunicator.create(1).get(0), new LateBackend(StepRank.cpu()))) {
        calm.fill();
        late.program().dryRun();
        late.fill();
        assertThat(late.program().stepsInFlight()).isEqualTo(2);
        List<StepOutcome> expected = new ArrayList<>();
        List<StepOutcome> found = new ArrayList<>();
        for (int step = 0; step < 5; step++) {
          expected.add(calm.step(step * 2 * micros, 2 * micros));
          late.submit(step * 2 * micros, 2 * micros, false);
          if (step > 0) {
            found.add(late.program().outcome().copy());
          }
        }
        found.add(late.program().outcome().copy());
        assertThat(found).as("%d micro-steps", micros).isEqualTo(expected);
        assertThat(late.bits(Role.PARAMETER)).isEqualTo(calm.bits(Role.PARAMETER));
        late.write(7);
        calm.write(7);
        assertThat(late.program().evaluate()).isEqualTo(calm.program().evaluate());
      }
    }
  }

  @Test
  void everyProgramIsClosedWhateverBecomesOfTheOthers() {
    List<String> closed = new ArrayList<>();
    try (Backend cpu = Backend.cpu(new CpuOptions(1, MatmulKind.JAVA))) {
      Backend stuck =
          (Backend)
              Proxy.newProxyInstance(
                  Backend.class.getClassLoader(),
                  new Class<?>[] {Backend.class},
                  (proxy, method, arguments) -> {
                    Object made = method.invoke(cpu, arguments);
                    return made instanceof Program program ? new Stuck(program, closed) : made;
                  });
      StepGraphs graphs = StepRank.graphs(16, ADAMW, 1, 1);
      StepProgram program =
          StepProgram.compile(graphs, stuck, LoopbackCommunicator.create(1).get(0));
      assertThatThrownBy(program::close)
          .isInstanceOf(DeviceException.class)
          .hasMessage("program 1")
          .satisfies(e -> assertThat(e.getSuppressed()).hasSize(graphs.programs().size() - 1));
    }
    assertThat(closed).hasSize(StepRank.graphs(16, ADAMW, 1, 1).programs().size());
  }

  @Test
  void aProgramThatDoesNotCompileTakesTheOthersAndTheMemoryAlong() {
    List<String> closed = new ArrayList<>();
    List<Memory> memories = new ArrayList<>();
    AtomicInteger compiled = new AtomicInteger();
    try (Backend cpu = Backend.cpu(new CpuOptions(1, MatmulKind.JAVA))) {
      Backend failing =
          (Backend)
              Proxy.newProxyInstance(
                  Backend.class.getClassLoader(),
                  new Class<?>[] {Backend.class},
                  (proxy, method, arguments) -> {
                    if (method.getName().equals("compile") && compiled.incrementAndGet() == 3) {
                      throw new DeviceException("the third");
                    }
                    Object made = method.invoke(cpu, arguments);
                    if (made instanceof Memory memory) {
                      memories.add(memory);
                    }
                    return made instanceof Program program ? new Stuck(program, closed) : made;
                  });
      StepGraphs graphs = StepRank.graphs(16, ADAMW, 1, 1);
      Communicator data = LoopbackCommunicator.create(1).get(0);
      assertThatThrownBy(() -> StepProgram.compile(graphs, failing, data))
          .isInstanceOf(DeviceException.class)
          .hasMessage("the third")
          .satisfies(e -> assertThat(e.getSuppressed()).hasSize(2));
      assertThat(closed).hasSize(2);
      assertThatThrownBy(() -> memories.get(0).span(StepGraphs.LOSS_SUM))
          .hasMessage("this memory is closed");
    }
  }

  @Test
  void evaluateChangesNothingEvenBetweenMicroSteps() {
    try (StepRank rank = alone(ADAMW, 4, 2)) {
      rank.step(0, 8);
      rank.write(8);
      rank.program().accumulate();
      List<int[]> before = arenas(rank);
      rank.write(40);
      StepOutcome outcome = rank.program().evaluate();
      assertThat(outcome.tokenCount()).isEqualTo(4 * StepRank.SEQUENCE);
      assertThat(outcome.loss()).isBetween(1f, 10f);
      List<int[]> after = arenas(rank);
      for (int i = 0; i < before.size(); i++) {
        assertThat(after.get(i)).isEqualTo(before.get(i));
      }
      assertThat(rank.program().evaluate()).isEqualTo(outcome);
    }
  }

  @Test
  void dryRunLeavesNoTrace() {
    try (StepRank dry = alone(ADAMW, 2, 2);
        StepRank fresh = alone(ADAMW, 2, 2)) {
      dry.program().dryRun();
      for (int[] arena : arenas(dry)) {
        assertThat(arena).containsOnly(0);
      }
      dry.fill();
      assertThat(dry.step(0, 8)).isEqualTo(fresh.step(0, 8));
      assertThat(dry.bits(Role.PARAMETER)).isEqualTo(fresh.bits(Role.PARAMETER));
      assertThat(dry.bits(Role.STATE)).isEqualTo(fresh.bits(Role.STATE));
    }
  }

  @Test
  void ranksThatShareABatchEqualOneRankAndEachOther() throws Exception {
    List<Communicator> world = LoopbackCommunicator.create(2);
    try (StepRank alone = alone(LINEAR, 4, 1);
        StepRank first = new StepRank(LINEAR, 2, 1, world.get(0));
        StepRank second = new StepRank(LINEAR, 2, 1, world.get(1))) {
      List<StepOutcome> both = both(() -> first.step(0, 4), () -> second.step(4, 4));
      assertThat(both.get(1)).isEqualTo(both.get(0));
      expectSame(both.get(0), alone.step(0, 8));
      assertThat(second.bits(Role.PARAMETER)).isEqualTo(first.bits(Role.PARAMETER));
      expectSame(first.weights(), alone.weights());
    }
  }

  @Test
  void aStopVoteOfOneRankIsSeenByAllAndForgotten() throws Exception {
    List<Communicator> world = LoopbackCommunicator.create(2);
    try (StepRank first = new StepRank(LINEAR, 2, 1, world.get(0));
        StepRank second = new StepRank(LINEAR, 2, 1, world.get(1))) {
      assertThat(both(() -> first.step(0, 2), () -> second.step(2, 2, true)))
          .allMatch(outcome -> outcome.stopVotes() == 1f);
      assertThat(both(() -> first.step(4, 2), () -> second.step(6, 2)))
          .allMatch(outcome -> outcome.stopVotes() == 0f);
    }
  }

  @Test
  void theFingerprintTellsPlansApartThatCannotTalkToEachOther() {
    String fingerprint = fingerprint(StepRank.graphs(16, LINEAR, 2, 1));
    assertThat(fingerprint(StepRank.graphs(16, LINEAR, 2, 1))).isEqualTo(fingerprint);
    assertThat(fingerprint(StepRank.graphs(24, LINEAR, 2, 1))).isNotEqualTo(fingerprint);
    // Micro-batch, shards and rule do not reach the wire.
    assertThat(fingerprint(StepRank.graphs(16, ADAMW, 4, 2))).isEqualTo(fingerprint);
  }

  private static String fingerprint(StepGraphs graphs) {
    return graphs.finish().fingerprintOfCollectives();
  }

  private static List<int[]> arenas(StepRank rank) {
    List<int[]> arenas = new ArrayList<>();
    for (Role role : List.of(Role.PARAMETER, Role.GRADIENT, Role.STATE, Role.PARTIAL)) {
      arenas.add(rank.bits(role));
    }
    return arenas;
  }

  private static List<StepOutcome> both(Callable<StepOutcome> first, Callable<StepOutcome> second)
      throws InterruptedException, ExecutionException {
    ExecutorService ranks = Executors.newFixedThreadPool(2);
    try {
      List<StepOutcome> outcomes = new ArrayList<>();
      for (Future<StepOutcome> outcome : ranks.invokeAll(List.of(first, second))) {
        outcomes.add(outcome.get());
      }
      return outcomes;
    } finally {
      ranks.shutdownNow();
    }
  }

  /** Equal but for the order of sums: eps 6e-8 times the root of 64 tokens, twice over. */
  private static void expectSame(StepOutcome found, StepOutcome expected) {
    assertThat(found.tokenCount()).isEqualTo(TOKENS).isEqualTo(expected.tokenCount());
    assertThat(found.lossSum()).isCloseTo(expected.lossSum(), within(1e-6f * expected.lossSum()));
    assertThat(found.gradNorm())
        .isCloseTo(expected.gradNorm(), within(1e-5f * expected.gradNorm()));
    assertThat(found.skipped()).isFalse();
  }

  private static void expectSame(float[] found, float[] expected) {
    assertThat(largestDifference(found, expected)).isLessThan(2e-6f);
  }

  private static float largestDifference(float[] left, float[] right) {
    assertThat(left).hasSameSizeAs(right);
    float largest = 0f;
    for (int i = 0; i < left.length; i++) {
      largest = Math.max(largest, Math.abs(left[i] - right[i]));
    }
    return largest;
  }
}
