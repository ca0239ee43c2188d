package dev.kindling.worker.step;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kindling.comm.loopback.LoopbackCommunicator;
import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.graph.PlanException;
import dev.kindling.kernels.graph.Role;
import dev.kindling.optim.rule.Apollo;
import dev.kindling.optim.rule.ApolloMini;
import dev.kindling.optim.rule.Granularity;
import dev.kindling.optim.rule.StateVariable;
import dev.kindling.optim.rule.UpdateRule;
import dev.kindling.worker.shard.Held;
import dev.kindling.worker.shard.Sharding;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * APOLLO in the steps of a small model, of which ranks hold pieces: tall matrices [64, 16], wide
 * ones [8, 16] and [16, 64].
 */
class ApolloStepTest {
  private static final int STEPS = 20;

  private static Apollo apollo(int rank, Granularity granularity, double growth) {
    return new Apollo(
        0.01,
        0.9,
        0.95,
        1e-6,
        0.1,
        1.0,
        rank,
        Optional.empty(),
        7,
        false,
        growth,
        granularity,
        3,
        Optional.empty());
  }

  private static final ApolloMini MINI =
      new ApolloMini(
          0.01, 0.9, 0.95, 1e-6, 0.1, 1.0, Optional.empty(), 7, true, 1.01, 3, Optional.empty());

  private static final List<UpdateRule> RULES =
      List.of(apollo(8, Granularity.CHANNEL, 1.01), apollo(4, Granularity.TENSOR, 0), MINI);

  @ParameterizedTest
  @CsvSource({"1, 2", "2, 2", "3, 2", "1, 4", "3, 4"})
  void ranksWithPiecesFollowRanksThatKeepEverything(int stage, int ranks) throws Exception {
    for (UpdateRule rule : RULES) {
      ShardedStepTest.Run whole = ShardedStepTest.run(0, ranks, rule, STEPS, 2);
      ShardedStepTest.Run sharded = ShardedStepTest.run(stage, ranks, rule, STEPS, 2);
      assertClose(sharded.weights(), whole.weights(), rule);
      assertClose(sharded.state(), whole.state(), rule);
      float fall = whole.outcomes().get(0).loss() - whole.outcomes().get(STEPS - 1).loss();
      assertThat(fall).as("%s", rule).isGreaterThan(0.1f);
    }
  }

  private static void assertClose(
      Map<String, float[]> found, Map<String, float[]> expected, UpdateRule rule) {
    assertThat(found.keySet()).isEqualTo(expected.keySet());
    expected.forEach(
        (name, values) -> {
          float[] own = found.get(name);
          assertThat(own).as(name).hasSameSizeAs(values);
          double difference = 0;
          double norm = 0;
          for (int i = 0; i < values.length; i++) {
            difference += Math.pow(own[i] - values[i], 2);
            norm += Math.pow(values[i], 2);
          }
          // fp32 rounding of sums, amplified by at most twenty updates of a small model.
          assertThat(Math.sqrt(difference / norm))
              .as("%s of %s, seed %d", name, rule, StepRank.SEED)
              .isLessThan(2e-4);
        });
  }

  @ParameterizedTest
  @CsvSource({"0, 2", "1, 2", "3, 4"})
  void twoRunsHaveEqualBits(int stage, int ranks) throws Exception {
    ShardedStepTest.Run first = ShardedStepTest.run(stage, ranks, RULES.get(0), 9, 1);
    ShardedStepTest.Run second = ShardedStepTest.run(stage, ranks, RULES.get(0), 9, 1);
    ShardedStepTest.assertSameBits(second.weights(), first.weights());
    ShardedStepTest.assertSameBits(second.state(), first.state());
  }

  /** Three sums a matrix, and the sketch where a rank sees parts of channels alone. */
  @Test
  void whatTravelsIsSmall() {
    StepGraphs plain = StepRank.graphs(1, MINI, 2, 1, new Sharding(0, 2));
    StepGraphs sharded = StepRank.graphs(1, MINI, 2, 1, new Sharding(1, 2));
    long matrices = 7;
    long wideChannels = 16 + 16 + 64;
    long gradients = bytes(plain) - shardedBytes(plain);
    assertThat(bytes(sharded)).isEqualTo(gradients + 12 * matrices + 4 * wideChannels);
  }

  /** Bytes that all-reduces of the last program take in. */
  private static long bytes(StepGraphs graphs) {
    return graphs.finish().nodes().stream()
        .filter(node -> node.op() instanceof dev.kindling.kernels.graph.op.AllReduce)
        .flatMap(node -> node.inputs().stream())
        .mapToLong(value -> value.type().bytes())
        .sum();
  }

  /** Of gradients that a sharded step scatters instead. */
  private static long shardedBytes(StepGraphs graphs) {
    Sharding two = new Sharding(1, 2);
    return graphs.finish().params().stream()
        .filter(two::shards)
        .mapToLong(param -> param.type().bytes())
        .sum();
  }

  @Test
  void theArenaOfStatesIsWhatTheFormulasSay() {
    Apollo rule = apollo(8, Granularity.CHANNEL, 1.01);
    StepGraphs graphs = StepRank.graphs(2, rule, 2, 1, Sharding.none());
    try (StepRank rank = new StepRank(graphs, LoopbackCommunicator.create(1).get(0))) {
      long padded = 0;
      long expected = 0;
      for (Param param : rank.program().params()) {
        int longer = param.shape().dims().stream().mapToInt(d -> d).max().orElseThrow();
        long formula = param.hidden() ? 8L * 8 * longer + 4 : 8 * param.shape().elements();
        assertThat(rule.ruleOf(param).stateBytes(param, param.shape())).isEqualTo(formula);
        expected += formula;
        for (StateVariable variable : rule.ruleOf(param).state(param, param.shape())) {
          padded += (variable.bytes() + 63) / 64 * 64;
        }
      }
      long held = rank.program().state().stream().mapToLong(Held::elements).sum() * Float.BYTES;
      assertThat(held).isEqualTo(expected);
      assertThat(rank.program().memory().arena(Role.STATE).bytes()).isEqualTo(padded);
      StepStages stages = StepStages.of(graphs, 1);
      assertThat(stages.variableBytes().get(Role.STATE)).isEqualTo(expected);
    }
  }

  @Test
  void aRankAboveTheMatrixIsRefusedBeforeAnyStep() {
    StepGraphs graphs =
        StepRank.graphs(1, apollo(9, Granularity.CHANNEL, 0), 2, 1, Sharding.none());
    assertThatThrownBy(graphs::finish)
        .isInstanceOf(PlanException.class)
        .hasMessageContaining("optimizer.rank: expected at most 8")
        .hasMessageContaining("self_attn.k_proj.weight [8, 16]");
  }
}
