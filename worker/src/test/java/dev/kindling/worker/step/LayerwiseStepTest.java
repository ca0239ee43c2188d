package dev.kindling.worker.step;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.kindling.comm.loopback.LoopbackCommunicator;
import dev.kindling.kernels.backend.cuda.layout.GroupRules;
import dev.kindling.kernels.backend.cuda.layout.Layout;
import dev.kindling.kernels.backend.cuda.layout.LayoutCheck;
import dev.kindling.kernels.backend.cuda.layout.Precision;
import dev.kindling.kernels.graph.Graph;
import dev.kindling.kernels.graph.PlanException;
import dev.kindling.kernels.graph.Role;
import dev.kindling.kernels.graph.rewrite.Recompute.Level;
import dev.kindling.kernels.memory.MemoryPlan;
import dev.kindling.kernels.memory.Span;
import dev.kindling.kernels.random.Int8Grid;
import dev.kindling.optim.rule.AdamState;
import dev.kindling.optim.rule.AdamW;
import dev.kindling.optim.rule.Apollo;
import dev.kindling.optim.rule.ApolloMini;
import dev.kindling.optim.rule.Granularity;
import dev.kindling.optim.rule.UpdateRule;
import dev.kindling.optim.rule.WeightStorage;
import dev.kindling.worker.plan.GradientLife;
import dev.kindling.worker.shard.Held;
import dev.kindling.worker.shard.Sharding;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class LayerwiseStepTest {
  private static final int STEPS = 12;
  private static final int SEQUENCES = 2;

  private static final AdamW ADAMW =
      new AdamW(0.01, 0.9, 0.95, 1e-8, 0.1, 0, false, AdamState.BF16);

  static List<UpdateRule> rules() {
    Optional<Double> auto = Optional.empty();
    return List.of(
        ADAMW,
        new Apollo(
            0.01,
            0.9,
            0.95,
            1e-6,
            0.1,
            0,
            4,
            auto,
            7,
            false,
            1.01,
            Granularity.CHANNEL,
            3,
            Optional.empty()),
        new ApolloMini(0.01, 0.9, 0.95, 1e-6, 0.1, 0, auto, 7, true, 1.01, 3, Optional.of(ADAMW)),
        new ApolloMini(
            0.01,
            0.9,
            0.95,
            1e-6,
            0.1,
            0,
            auto,
            7,
            false,
            1.01,
            3,
            WeightStorage.INT8,
            Optional.of(ADAMW)));
  }

  private static StepGraphs graphs(UpdateRule rule, Sharding sharding) {
    return StepRank.graphs(2, rule, SEQUENCES, 1, sharding);
  }

  private static StepRank rank(StepGraphs graphs) {
    StepRank rank = new StepRank(graphs, LoopbackCommunicator.create(1).get(0));
    rank.program().dryRun();
    rank.fill();
    return rank;
  }

  /** What passes is told as narrow as a device stores it. */
  @ParameterizedTest
  @MethodSource("rules")
  void ranksSendGradientsOfMatricesInHalfTheBytes(UpdateRule rule) {
    StepGraphs two = graphs(rule, new Sharding(0, 2));
    long wide = StepStages.of(two.with(GradientLife.SUMS), 1).sentBytes();
    long passing = StepStages.of(two.with(GradientLife.PASSING), 1).sentBytes();
    assertThat(passing).isBetween(wide / 2, wide * 9 / 10);
  }

  @ParameterizedTest
  @MethodSource("rules")
  void parametersAndStateHaveTheBitsOfTheStepThatUpdatesBehindBackward(UpdateRule rule) {
    for (MemorySaving saving : List.of(MemorySaving.NONE, new MemorySaving(Level.BLOCKS, 1))) {
      StepGraphs behind = graphs(rule, Sharding.none()).with(saving);
      try (StepRank plain = rank(behind);
          StepRank layerwise = rank(behind.with(GradientLife.PASSING))) {
        for (int step = 0; step < STEPS; step++) {
          StepOutcome expected = plain.step(step * SEQUENCES, SEQUENCES);
          StepOutcome found = layerwise.step(step * SEQUENCES, SEQUENCES);
          assertThat(found.lossSum()).isEqualTo(expected.lossSum());
          assertThat(found.tokenCount()).isEqualTo(expected.tokenCount());
          assertThat(found.scale()).isEqualTo(expected.scale());
          // Each summand is rounded to fp32 before the sum.
          assertThat(found.gradNorm()).isCloseTo(expected.gradNorm(), within(1e-6f));
        }
        assertThat(layerwise.bits(Role.PARAMETER)).isEqualTo(plain.bits(Role.PARAMETER));
        assertThat(layerwise.bits(Role.STATE)).isEqualTo(plain.bits(Role.STATE));
        assertThat(layerwise.bits(Role.NARROW_STATE)).isEqualTo(plain.bits(Role.NARROW_STATE));
        // Loss, tokens and votes, each with its padding.
        assertThat(layerwise.bits(Role.GRADIENT)).hasSize(3 * 16);
      }
    }
  }

  /** What a device stores in codes is on a grid at every moment: a checkpoint loses no bit. */
  @Test
  void quantizedWeightsStayOnTheirGridsAndGoOnFromACheckpoint() {
    StepGraphs graphs = graphs(rules().get(3), Sharding.none()).with(GradientLife.PASSING);
    try (StepRank whole = rank(graphs);
        StepRank resumed = rank(graphs)) {
      float first = whole.step(0, SEQUENCES).loss();
      for (int step = 1; step < 10; step++) {
        whole.step(step * SEQUENCES, SEQUENCES);
      }
      List<Held> tensors = new ArrayList<>(whole.program().weights());
      tensors.addAll(whole.program().state());
      for (Held held : tensors) {
        float[] content = contents(whole, held.name());
        if (held.name().contains("_proj") && !held.name().startsWith("state/")) {
          content = recoded(content);
        }
        resumed.program().memory().span(held.name()).put(content);
      }
      for (int step = 10; step < 20; step++) {
        StepOutcome expected = whole.step(step * SEQUENCES, SEQUENCES);
        assertThat(resumed.stepAs(step + 1, step * SEQUENCES, SEQUENCES)).isEqualTo(expected);
      }
      assertThat(resumed.bits(Role.PARAMETER)).isEqualTo(whole.bits(Role.PARAMETER));
      assertThat(resumed.bits(Role.STATE)).isEqualTo(whole.bits(Role.STATE));
      assertThat(whole.step(0, SEQUENCES).loss()).isLessThan(first);
    }
  }

  /** Through the codes of a device and back. */
  private static float[] recoded(float[] values) {
    try (Span span = Span.allocate((long) values.length * Float.BYTES)) {
      span.put(values);
      try (Span coded = Int8Grid.encode(span)) {
        ByteBuffer codes = coded.buffer();
        int grids = (int) Int8Grid.gridsOf(coded.bytes());
        ByteBuffer words = codes.slice(grids, codes.capacity() - grids);
        Int8Grid.decode(codes, words, 0, span);
        return span.toFloats();
      }
    }
  }

  /** The head's gradient is a sum of chunks in either step. */
  @Test
  void aLossInChunksHasTheSameBits() {
    StepGraphs behind =
        StepRank.graphs(1, ADAMW, 40, 1, Sharding.none()).with(new MemorySaving(Level.BLOCKS, 3));
    try (StepRank plain = rank(behind);
        StepRank layerwise = rank(behind.with(GradientLife.PASSING))) {
      for (int step = 0; step < 3; step++) {
        plain.step(step * 40, 40);
        layerwise.step(step * 40, 40);
      }
      assertThat(layerwise.bits(Role.PARAMETER)).isEqualTo(plain.bits(Role.PARAMETER));
    }
  }

  @Test
  void ranksAgreeWithTheStepThatUpdatesBehindBackward() throws Exception {
    for (UpdateRule rule : rules()) {
      StepGraphs behind = graphs(rule, new Sharding(0, 2));
      ShardedStepTest.Run expected = ShardedStepTest.run(behind, STEPS, 1);
      ShardedStepTest.Run found = ShardedStepTest.run(behind.with(GradientLife.PASSING), STEPS, 1);
      ShardedStepTest.assertSameBits(found.weights(), expected.weights());
      ShardedStepTest.assertSameBits(found.state(), expected.state());
    }
  }

  /**
   * A gate of zeros keeps huge numbers out of the forward pass; backward they overflow on the way
   * to the gate of the first layer and to everything before it.
   */
  @Test
  void aGradientThatIsNotFiniteSkipsItsParameterAlone() {
    StepGraphs layerwise = graphs(rules().get(1), Sharding.none()).with(GradientLife.PASSING);
    try (StepRank rank = rank(layerwise)) {
      rank.step(0, SEQUENCES);
      fill(rank, "model.layers.0.mlp.gate_proj.weight", 0f);
      fill(rank, "model.layers.0.mlp.up_proj.weight", 1e10f);
      fill(rank, "model.layers.0.mlp.down_proj.weight", 1e34f);
      List<Held> tensors = new ArrayList<>(rank.program().weights());
      tensors.addAll(rank.program().state());
      Map<String, float[]> before = new LinkedHashMap<>();
      tensors.forEach(held -> before.put(held.name(), contents(rank, held.name())));
      StepOutcome outcome = rank.step(SEQUENCES, SEQUENCES);
      assertThat(outcome.loss()).isFinite();
      assertThat(outcome.skipped()).isTrue();
      assertThat(outcome.scale()).isZero();
      before.forEach(
          (name, content) -> {
            boolean behind = name.contains("layers.1") || name.contains("model.norm");
            boolean finite = behind || name.contains("0.mlp.up") || name.contains("0.mlp.down");
            boolean same = Arrays.equals(contents(rank, name), content);
            assertThat(same).as(name).isEqualTo(!finite);
          });
    }
  }

  private static void fill(StepRank rank, String variable, float value) {
    Span span = rank.program().memory().span(variable);
    for (int i = 0; i < span.bytes() / Float.BYTES; i++) {
      span.putFloat(i, value);
    }
  }

  private static float[] contents(StepRank rank, String variable) {
    return rank.program().memory().span(variable).toFloats();
  }

  @Test
  void noArenaHoldsGradientsAndTheLargestOneCountsOnce() {
    StepGraphs behind = graphs(rules().get(1), Sharding.none());
    Graph finish = behind.with(GradientLife.PASSING).finish();
    assertThat(finish.variables()).noneMatch(variable -> variable.name().startsWith("grad/"));
    long largest =
        finish.params().stream().mapToLong(param -> param.type().bytes()).max().orElseThrow();
    long more = MemoryPlan.of(finish).totalBytes() - MemoryPlan.of(behind.finish()).totalBytes();
    // The table is the head too, so that its gradient is alive beside each of the others.
    assertThat(more).isLessThanOrEqualTo(3 * largest);
    for (Precision precision : Precision.values()) {
      LayoutCheck.check(finish, Layout.of(finish, precision, GroupRules.ALL));
      LayoutCheck.check(finish, Layout.of(finish, precision, GroupRules.NONE));
    }
  }

  @Test
  void whatItCannotDoIsRefused() {
    StepGraphs clips = graphs(new AdamW(0.01, 0.9, 0.95, 1e-8, 0.1, 1.0), Sharding.none());
    List<StepGraphs> refused =
        List.of(
            clips,
            graphs(ADAMW, new Sharding(1, 2)),
            StepRank.graphs(2, ADAMW, SEQUENCES, 2, Sharding.none()),
            StepRank.graphs(2, ADAMW, SEQUENCES, 0, Sharding.none()));
    for (StepGraphs graphs : refused) {
      assertThatThrownBy(() -> graphs.with(GradientLife.PASSING).finish())
          .isInstanceOf(PlanException.class)
          .hasMessageContaining("memory.gradients layerwise: expected one micro-step");
    }
  }
}
