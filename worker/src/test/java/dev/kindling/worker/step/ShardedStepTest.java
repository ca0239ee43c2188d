package dev.kindling.worker.step;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.kindling.comm.loopback.LoopbackCommunicator;
import dev.kindling.kernels.backend.Communicator;
import dev.kindling.kernels.graph.PlanException;
import dev.kindling.kernels.graph.Role;
import dev.kindling.kernels.graph.rewrite.Recompute;
import dev.kindling.kernels.memory.Span;
import dev.kindling.optim.rule.AdamMini;
import dev.kindling.optim.rule.AdamW;
import dev.kindling.optim.rule.Group;
import dev.kindling.optim.rule.Groups;
import dev.kindling.optim.rule.Sgd;
import dev.kindling.optim.rule.UpdateRule;
import dev.kindling.worker.shard.Held;
import dev.kindling.worker.shard.Sharding;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Steps of sharded ranks beside steps of ranks that keep everything. */
class ShardedStepTest {
  private static final UpdateRule ADAMW = new AdamW(0.01, 0.9, 0.95, 1e-8, 0.1, 1.0);

  /** An update is a linear function of the gradient. */
  private static final UpdateRule LINEAR = new Sgd(0.5, 0, false, 0, 0);

  private static final int LAYERS = 2;
  private static final int MICRO_SEQUENCES = 2;
  private static final int STEPS = 20;

  /** A bucket for every gradient or two. */
  private static final long SMALL_BUCKET = 4096;

  /** What a world did. */
  record Run(
      List<StepOutcome> outcomes,
      Map<String, float[]> weights,
      Map<String, float[]> state,
      List<int[]> working) {}

  static Run run(int stage, int ranks, UpdateRule rule, int steps, int microSteps)
      throws Exception {
    Sharding sharding = new Sharding(stage, ranks, SMALL_BUCKET);
    return run(
        StepRank.graphs(LAYERS, rule, MICRO_SEQUENCES, microSteps, sharding), steps, microSteps);
  }

  static Run run(StepGraphs graphs, int steps, int microSteps) throws Exception {
    int ranks = graphs.sharding().ranks();
    ExecutorService threads = Executors.newFixedThreadPool(ranks);
    List<StepRank> world = new ArrayList<>();
    try {
      for (Communicator data : LoopbackCommunicator.create(ranks)) {
        world.add(new StepRank(graphs, data));
      }
      List<Future<List<StepOutcome>>> done = new ArrayList<>();
      int perRank = MICRO_SEQUENCES * microSteps;
      for (int rank = 0; rank < ranks; rank++) {
        StepRank own = world.get(rank);
        int offset = rank * perRank;
        done.add(threads.submit(() -> steps(own, steps, offset, perRank, ranks)));
      }
      List<StepOutcome> outcomes = done.get(0).get();
      for (Future<List<StepOutcome>> other : done) {
        assertThat(other.get()).isEqualTo(outcomes);
      }
      return new Run(
          outcomes,
          joined(world, true),
          joined(world, false),
          world.stream().map(rank -> rank.bits(Role.WORKING)).toList());
    } finally {
      threads.shutdownNow();
      world.forEach(StepRank::close);
    }
  }

  private static List<StepOutcome> steps(
      StepRank rank, int steps, int offset, int perRank, int ranks) {
    rank.program().dryRun();
    rank.fill();
    List<StepOutcome> outcomes = new ArrayList<>();
    for (int step = 0; step < steps; step++) {
      outcomes.add(rank.step(step * perRank * ranks + offset, perRank));
    }
    return outcomes;
  }

  /** Whole tensors of all ranks; what several hold must have equal bits. */
  private static Map<String, float[]> joined(List<StepRank> world, boolean weights) {
    Map<String, float[]> whole = new TreeMap<>();
    for (StepRank rank : world) {
      for (Held held : weights ? rank.program().weights() : rank.program().state()) {
        float[] all =
            whole.computeIfAbsent(
                held.name(),
                name -> {
                  float[] empty = new float[(int) held.whole().elements()];
                  java.util.Arrays.fill(empty, Float.NaN);
                  return empty;
                });
        Span span = rank.program().memory().span(held.name());
        assertThat(span.bytes()).isEqualTo(held.elements() * Float.BYTES);
        for (int i = 0; i < held.elements(); i++) {
          float value = span.getFloat(i);
          float known = all[(int) held.from() + i];
          assertThat(Float.isNaN(known) || known == value).as(held.name()).isTrue();
          all[(int) held.from() + i] = value;
        }
      }
    }
    return whole;
  }

  /** Two ranks add the same two numbers, whatever travels with what. */
  @Test
  void theOrderInWhichGradientsTravelChangesNoBit() throws Exception {
    for (int stage = 0; stage <= 1; stage++) {
      Sharding together = new Sharding(stage, 2, 1L << 30);
      Run expected = run(StepRank.graphs(LAYERS, ADAMW, MICRO_SEQUENCES, 1, together), STEPS, 1);
      Run found = run(stage, 2, ADAMW, STEPS, 1);
      assertThat(found.outcomes()).isEqualTo(expected.outcomes());
      assertThat(found.weights().keySet()).isEqualTo(expected.weights().keySet());
      found
          .weights()
          .forEach(
              (name, bits) -> assertThat(bits).as(name).isEqualTo(expected.weights().get(name)));
    }
  }

  @ParameterizedTest
  @CsvSource({"1, 2", "2, 2", "3, 2", "1, 4", "2, 4", "3, 4", "3, 3"})
  void lossesOfTwentyStepsEqualThoseOfRanksThatKeepEverything(int stage, int ranks)
      throws Exception {
    Run whole = run(0, ranks, ADAMW, STEPS, 2);
    Run sharded = run(stage, ranks, ADAMW, STEPS, 2);
    for (int step = 0; step < STEPS; step++) {
      StepOutcome expected = whole.outcomes().get(step);
      StepOutcome found = sharded.outcomes().get(step);
      // fp32 rounding of sums, amplified by at most twenty updates of a small model.
      assertThat(found.loss())
          .as("step %d", step)
          .isCloseTo(expected.loss(), within(2e-5f * expected.loss()));
      assertThat(found.tokenCount()).isEqualTo(expected.tokenCount());
    }
    float fall = whole.outcomes().get(0).loss() - whole.outcomes().get(STEPS - 1).loss();
    assertThat(fall).isGreaterThan(0.1f);
  }

  /** Of rows, and of four rows of queries and keys. */
  @ParameterizedTest
  @CsvSource({"1, 2", "2, 2", "3, 2", "1, 4", "3, 4"})
  void adamMiniKeepsItsBlocksInPieces(int stage, int ranks) throws Exception {
    Optional<Integer> head = ranks == 2 ? Optional.of(4) : Optional.empty();
    AdamMini mini = new AdamMini(0.01, 0.9, 0.95, 1e-8, head, 0.1, 1.0);
    // The table of 23 rows is no matter of whole rows.
    Groups rule = new Groups(ADAMW, List.of(new Group("*layers*", mini)));
    Run whole = run(StepRank.graphs(LAYERS, rule, 2, 2, new Sharding(0, ranks)), STEPS, 2);
    Run sharded = run(StepRank.graphs(LAYERS, rule, 2, 2, new Sharding(stage, ranks)), STEPS, 2);
    for (int step = 0; step < STEPS; step++) {
      float expected = whole.outcomes().get(step).loss();
      assertThat(sharded.outcomes().get(step).loss())
          .as("step %d, seed %d", step, StepRank.SEED)
          .isCloseTo(expected, within(2e-5f * expected));
    }
    assertThat(sharded.state().keySet()).isEqualTo(whole.state().keySet());
    whole
        .state()
        .forEach((name, values) -> assertThat(sharded.state().get(name)).hasSameSizeAs(values));
    float fall = whole.outcomes().get(0).loss() - whole.outcomes().get(STEPS - 1).loss();
    assertThat(fall).isGreaterThan(0.1f);
  }

  @Test
  void aBlockThatRanksWouldCutIsRefused() {
    AdamMini heads = new AdamMini(0.01, 0.9, 0.95, 1e-8, Optional.of(8), 0.1, 1.0);
    Groups rule = new Groups(ADAMW, List.of(new Group("*layers*", heads)));
    StepGraphs graphs = StepRank.graphs(1, rule, 2, 1, new Sharding(1, 2));
    assertThatThrownBy(graphs::finish)
        .isInstanceOf(PlanException.class)
        .hasMessageContaining("mesh.zero: expected pieces of whole blocks (8 rows")
        .hasMessageContaining("self_attn.k_proj.weight, found [8, 16] in pieces of 64 elements");
  }

  @ParameterizedTest
  @CsvSource({"0, 2", "1, 2", "2, 2", "3, 2", "1, 4", "3, 4"})
  void gradientsEqualThoseOfOneRank(int stage, int ranks) throws Exception {
    Run alone = run(0, 1, LINEAR, 1, 4);
    Run sharded = run(stage, ranks, LINEAR, 1, 4 / ranks);
    assertThat(sharded.weights().keySet()).isEqualTo(alone.weights().keySet());
    alone
        .weights()
        .forEach(
            (name, expected) -> {
              float[] found = sharded.weights().get(name);
              assertThat(found).hasSameSizeAs(expected);
              for (int i = 0; i < expected.length; i++) {
                assertThat(found[i]).as(name).isCloseTo(expected[i], within(2e-6f));
              }
            });
    assertThat(sharded.outcomes().get(0).gradNorm())
        .isCloseTo(
            alone.outcomes().get(0).gradNorm(), within(1e-5f * alone.outcomes().get(0).gradNorm()));
  }

  @ParameterizedTest
  @CsvSource({"0, 4", "1, 2", "2, 2", "3, 2", "3, 4"})
  void twoRunsHaveEqualBits(int stage, int ranks) throws Exception {
    Run first = run(stage, ranks, ADAMW, 5, 2);
    Run second = run(stage, ranks, ADAMW, 5, 2);
    assertThat(second.outcomes()).isEqualTo(first.outcomes());
    assertSameBits(second.weights(), first.weights());
    assertSameBits(second.state(), first.state());
  }

  @ParameterizedTest
  @CsvSource({"1", "2"})
  void everyRankReadsTheMastersOfAll(int stage) throws Exception {
    Run run = run(stage, 2, ADAMW, 3, 1);
    assertThat(run.working().get(1)).isEqualTo(run.working().get(0));
    Run reading = run(3, 2, ADAMW, 3, 1);
    assertThat(reading.working()).allMatch(bits -> bits.length == 0);
    // Stages differ in when they gather, not in what they compute.
    assertSameBits(run(2, 2, ADAMW, 3, 1).weights(), reading.weights());
  }

  @Test
  void aWorldOfOneIsNotSharded() {
    StepGraphs alone = StepRank.graphs(LAYERS, ADAMW, 2, 0, new Sharding(3, 1));
    StepGraphs plain = StepRank.graphs(LAYERS, ADAMW, 2, 0, Sharding.none());
    assertThat(alone.finish().toString()).isEqualTo(plain.finish().toString());
    assertThat(alone.spread().nodes()).isEmpty();
  }

  /** x + 0 = x: whether the first micro-step adds to zeros or writes shows in no bit. */
  @ParameterizedTest
  @CsvSource({
    "0, 1, 1", "0, 1, 2", "0, 1, 3", "0, 2, 2", "1, 2, 1", "2, 2, 2", "3, 2, 1", "3, 2, 3"
  })
  void writingTheFirstGradientsEqualsAddingThemToZeros(int stage, int ranks, int microSteps)
      throws Exception {
    Sharding sharding = new Sharding(stage, ranks);
    StepGraphs written = StepRank.graphs(LAYERS, ADAMW, 2, microSteps, sharding);
    StepGraphs added = StepRank.graphs(LAYERS, ADAMW, 2, 0, sharding);
    Run expected = run(added, 4, microSteps);
    Run found = run(written, 4, microSteps);
    assertThat(found.outcomes()).isEqualTo(expected.outcomes());
    assertSameBits(found.weights(), expected.weights());
    assertThat(written.microSteps()).hasSize(Math.min(2, microSteps - 1));
  }

  @Test
  void bucketsKeepTheBitsOfTwoRanks() throws Exception {
    Run buckets = run(0, 2, ADAMW, 5, 1);
    Run together = run(StepRank.graphs(LAYERS, ADAMW, 2, 1, new Sharding(0, 2)), 5, 1);
    assertThat(buckets.outcomes()).isEqualTo(together.outcomes());
    assertSameBits(buckets.weights(), together.weights());
  }

  /** Recomputed forward reads gathered weights too, and a chunked head gathers its table. */
  @ParameterizedTest
  @CsvSource({"1, 1", "2, 2", "3, 1", "3, 2"})
  void savingMemoryAndShardingGoTogether(int stage, int chunks) throws Exception {
    StepGraphs plain = StepRank.graphs(LAYERS, ADAMW, 2, 2, new Sharding(stage, 2));
    MemorySaving saving = new MemorySaving(Recompute.Level.BLOCKS, chunks);
    Run expected = run(plain, 4, 2);
    Run found = run(plain.with(saving), 4, 2);
    for (int step = 0; step < 4; step++) {
      float loss = expected.outcomes().get(step).loss();
      assertThat(found.outcomes().get(step).loss()).isCloseTo(loss, within(1e-5f * loss));
    }
  }

  /** Stages 0 and 1 end a step differently; 2 and 3 differ in programs before the last. */
  @Test
  void theFingerprintCoversEveryProgram() {
    List<String> prints = new ArrayList<>();
    for (int stage = 0; stage < 4; stage++) {
      StepGraphs graphs = StepRank.graphs(1, ADAMW, 2, 2, new Sharding(stage, 2));
      List<Communicator> world = LoopbackCommunicator.create(2);
      try (StepRank rank = new StepRank(graphs, world.get(0));
          StepRank other = new StepRank(graphs, world.get(1))) {
        assertThat(other.program().fingerprint()).isEqualTo(rank.program().fingerprint());
        prints.add(rank.program().fingerprint());
      }
    }
    assertThat(prints).doesNotHaveDuplicates();
    List<List<String>> lines = prints.stream().map(print -> print.lines().toList()).toList();
    assertThat(lines.get(0))
        .extracting(line -> line.split(" ", 2)[0])
        .containsExactly("accumulate", "finish", "evaluate", "spread");
    // Stage 2 scatters in every micro-step; stage 3 gathers in validation too.
    assertThat(lines.get(2).get(0)).isNotEqualTo(lines.get(1).get(0));
    assertThat(lines.get(3).get(2)).isNotEqualTo(lines.get(2).get(2));
  }

  @Test
  void aStepOfAnotherLengthIsRefused() {
    StepGraphs graphs = StepRank.graphs(1, ADAMW, 2, 2, Sharding.none());
    try (StepRank rank = new StepRank(graphs, LoopbackCommunicator.create(1).get(0))) {
      rank.fill();
      assertThatThrownBy(() -> rank.step(0, 2))
          .isInstanceOf(IllegalStateException.class)
          .hasMessageContaining("expected 2");
      assertThatThrownBy(() -> rank.step(0, 6))
          .isInstanceOf(IllegalStateException.class)
          .hasMessageContaining("expected 2");
    }
  }

  static void assertSameBits(Map<String, float[]> found, Map<String, float[]> expected) {
    assertThat(found.keySet()).isEqualTo(expected.keySet());
    expected.forEach((name, values) -> assertThat(found.get(name)).as(name).isEqualTo(values));
  }
}
