package dev.kindling.worker.step;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.kindling.comm.loopback.LoopbackCommunicator;
import dev.kindling.kernels.backend.Communicator;
import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.graph.Role;
import dev.kindling.kernels.graph.op.CrossEntropy;
import dev.kindling.kernels.memory.Span;
import dev.kindling.kernels.random.HalfwordNormal;
import dev.kindling.optim.rule.AdamW;
import dev.kindling.optim.rule.Mezo;
import dev.kindling.optim.rule.Sgd;
import dev.kindling.worker.model.Full;
import dev.kindling.worker.shard.Sharding;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Test;

/** What zeroth-order steps of whole models promise: shards of any size, masks, tables, descent. */
class MezoInvariantsTest {
  private static final double LR = 1e-3;
  private static final double EPS = 1e-2;
  private static final Mezo PLAIN = new Mezo(LR, EPS, 1, 0, 0, true);

  /** Of a model whose head is its table. */
  private static MezoStep tied(Mezo rule, int sequences) {
    StepGraphs same = StepRank.graphs(1, new Sgd(1, 0, false, 0, 0), sequences, 0, Sharding.none());
    return new MezoStep(same.model(), new Full(), rule, same.shape(), 1, StepRank.SEED);
  }

  private static MezoStep untied(Mezo rule, int sequences, int ranks) {
    StepGraphs same = StepRank.graphs(16, new Sgd(1, 0, false, 0, 0), sequences, 1);
    return new MezoStep(same.model(), new Full(), rule, same.shape(), ranks, StepRank.SEED);
  }

  private static StepRank rank(TrainStep step) {
    StepRank rank = new StepRank(step, LoopbackCommunicator.create(1).get(0));
    rank.program().dryRun();
    rank.fill();
    return rank;
  }

  private static float[] normals(String name, int count, int step) {
    float[] z = new float[(count + 7) / 8 * 8];
    float[] eight = new float[8];
    long key = HalfwordNormal.key(StepRank.SEED, name);
    for (int block = 0; block < z.length / 8; block++) {
      HalfwordNormal.block(new int[4], key, block, step, 0, eight);
      System.arraycopy(eight, 0, z, 8 * block, 8);
    }
    return Arrays.copyOf(z, count);
  }

  private static Map<String, float[]> weights(StepRank rank) {
    Map<String, float[]> weights = new TreeMap<>();
    for (Param param : rank.program().params()) {
      weights.put(param.name(), rank.program().memory().span(param.name()).toFloats());
    }
    return weights;
  }

  private static float[] of(Map<String, float[]> weights, Param param) {
    return Objects.requireNonNull(weights.get(param.name()));
  }

  /** Sequences [first, first + count), of which targets beyond {@code counted} do not count. */
  private static StepOutcome step(StepRank rank, int first, int count, int counted) {
    for (int micro = 0; micro < count; micro++) {
      rank.write(first + micro);
      for (int i = 0; micro >= counted && i < StepRank.SEQUENCE; i++) {
        rank.program().inputs().targets().put(i, CrossEntropy.IGNORED);
      }
      if (micro < count - 1) {
        rank.program().accumulate(1, 1.0);
      }
    }
    rank.program().submit(1, 1.0, false);
    return rank.program().outcome().copy();
  }

  /** zeroth-order.md 7.6: a mean of the ranks' means would be another number. */
  @Test
  void ranksWithShardsOfAnySizeAndWithNoneGiveTheBitsOfOneRank() throws Exception {
    int[][] shards = {{0, 5, 5}, {5, 3, 3}, {8, 1, 0}};
    List<StepRank> world = new ArrayList<>();
    ExecutorService threads = Executors.newFixedThreadPool(shards.length);
    try (StepRank whole = rank(untied(PLAIN, 1, 1))) {
      StepOutcome expected = step(whole, 0, 8, 8);
      for (Communicator data : LoopbackCommunicator.create(shards.length)) {
        world.add(new StepRank(untied(PLAIN, 1, shards.length), data));
      }
      List<Future<StepOutcome>> done = new ArrayList<>();
      for (int r = 0; r < shards.length; r++) {
        StepRank own = world.get(r);
        int[] shard = shards[r];
        done.add(
            threads.submit(
                () -> {
                  own.program().dryRun();
                  own.fill();
                  return step(own, shard[0], shard[1], shard[2]);
                }));
      }
      for (int r = 0; r < shards.length; r++) {
        assertThat(done.get(r).get()).as("rank %d, seed %d", r, StepRank.SEED).isEqualTo(expected);
        assertThat(world.get(r).bits(Role.PARAMETER)).isEqualTo(whole.bits(Role.PARAMETER));
      }
      assertThat(expected.tokenCount()).isEqualTo(8 * StepRank.SEQUENCE);
    } finally {
      threads.shutdownNow();
      world.forEach(StepRank::close);
    }
  }

  /** A table that is read at both ends is one parameter: one z, one update. */
  @Test
  void aTiedTableIsPerturbedAlikeAtBothEndsAndMovesOnce() {
    try (StepRank rank = rank(tied(PLAIN, 8));
        StepRank twin = rank(tied(PLAIN, 8))) {
      Map<String, float[]> before = weights(rank);
      double slope = (loss(twin, before, EPS) - loss(twin, before, -EPS)) / (2 * EPS);
      StepOutcome outcome = rank.step(0, 8);
      assertThat((double) outcome.projected(0)).isCloseTo(slope, within(1e-4));
      Map<String, float[]> after = weights(rank);
      assertThat(after)
          .containsKey("model.embed_tokens.weight")
          .doesNotContainKey("lm_head.weight");
      for (Param param : rank.program().params()) {
        float[] z = normals(param.name(), (int) param.shape().elements(), 1);
        for (int i = 0; i < z.length; i++) {
          double expected = of(before, param)[i] - LR * outcome.projected(0) * z[i];
          assertThat((double) of(after, param)[i])
              .as("%s %d, seed %d", param.name(), i, StepRank.SEED)
              .isCloseTo(expected, within(2e-7));
        }
      }
    }
  }

  /** Mean loss with every parameter moved along the direction of step 1. */
  private static double loss(StepRank rank, Map<String, float[]> at, double factor) {
    for (Param param : rank.program().params()) {
      Span span = rank.program().memory().span(param.name());
      float[] z = normals(param.name(), (int) param.shape().elements(), 1);
      for (int i = 0; i < z.length; i++) {
        span.putFloat(i, (float) (of(at, param)[i] + factor * z[i]));
      }
    }
    rank.write(0);
    StepOutcome outcome = rank.program().evaluate();
    return (double) outcome.lossSum() / outcome.tokenCount();
  }

  /**
   * zeroth-order.md 5: thresholds of magnitudes, per matrix, from the weights before training and
   * then fixed; the mask of a step from its own weights; vectors without one.
   */
  @Test
  void onlyWeightsUpToTheFirstThresholdMoveAndVectorsAll() {
    Mezo rule = new Mezo(0.05, EPS, 1, 0.5, 0.75, true);
    try (StepRank rank = rank(untied(rule, 8, 1))) {
      Map<String, Float> bounds = new TreeMap<>();
      for (Param param : rank.program().params()) {
        if (param.shape().rank() == 2) {
          bounds.put(param.name(), quarter(of(weights(rank), param)));
        }
      }
      int crossed = 0;
      for (int step = 1; step <= 4; step++) {
        Map<String, float[]> before = weights(rank);
        double slope = rank.step(8 * step, 8).projected(0);
        Map<String, float[]> after = weights(rank);
        for (Param param : rank.program().params()) {
          float bound = bounds.getOrDefault(param.name(), Float.MAX_VALUE);
          double decay = param.decay() ? 0.5 : 0;
          float[] z = normals(param.name(), (int) param.shape().elements(), step);
          for (int i = 0; i < z.length; i++) {
            float old = of(before, param)[i];
            boolean moves = Math.abs(old) <= bound;
            double expected = moves ? old - 0.05 * (slope * z[i] + decay * old) : old;
            double error = moves ? 1e-6 * (1 + Math.abs(slope)) : 0;
            assertThat((double) of(after, param)[i])
                .as("%s %d, step %d, seed %d", param.name(), i, step, StepRank.SEED)
                .isCloseTo(expected, within(error));
            crossed += moves != (Math.abs(of(after, param)[i]) <= bound) ? 1 : 0;
          }
        }
      }
      // Guards the test: weights leave the mask, so that a threshold of each step would differ.
      assertThat(crossed).isGreaterThan(20);
    }
  }

  /** The magnitude that a quarter of the elements do not exceed. */
  private static float quarter(float[] values) {
    float[] sorted = new float[values.length];
    for (int i = 0; i < values.length; i++) {
      sorted[i] = Math.abs(values[i]);
    }
    Arrays.sort(sorted);
    return sorted[Math.round(values.length / 4f) - 1];
  }

  /** Of a sparsity that no element is large enough for, the first step is the one without. */
  @Test
  void aMaskOfEverythingGivesTheBitsOfNone() {
    for (boolean master : new boolean[] {true, false}) {
      try (StepRank plain = rank(untied(new Mezo(LR, EPS, 2, 0.1, 0, master), 8, 1));
          StepRank masked = rank(untied(new Mezo(LR, EPS, 2, 0.1, 1e-9, master), 8, 1))) {
        assertThat(masked.program().state()).isNotEmpty();
        assertThat(masked.step(0, 8)).isEqualTo(plain.step(0, 8));
        weights(plain)
            .forEach((name, values) -> assertThat(weights(masked).get(name)).isEqualTo(values));
      }
    }
  }

  /** Each token decides the next one; batches begin anywhere. */
  private static void write(StepRank rank, int batch) {
    StepInputs inputs = rank.program().inputs();
    int token = 0;
    for (int i = 0; i < inputs.tokens().limit(); i++) {
      int position = i % StepRank.SEQUENCE;
      token = position == 0 ? (batch * 7 + i * 5) % StepRank.VOCABULARY : next(token);
      inputs.tokens().put(i, token);
      inputs.targets().put(i, next(token));
      inputs.positions().put(i, position);
    }
  }

  private static int next(int token) {
    return (3 * token + 1) % StepRank.VOCABULARY;
  }

  private static double heldOut(StepRank rank) {
    write(rank, 100_003);
    StepOutcome outcome = rank.program().evaluate();
    return (double) outcome.lossSum() / outcome.tokenCount();
  }

  private static StepOutcome train(StepRank rank, int steps) {
    for (int step = 1; step < steps; step++) {
      write(rank, step);
      rank.program().submit(step, 1.0, false);
      rank.program().outcome();
    }
    write(rank, steps);
    rank.program().submit(steps, 1.0, false);
    return rank.program().outcome().copy();
  }

  /**
   * zeroth-order.md 7.16, with weights in bf16: a model that backpropagation began goes on, and a
   * rate far above the right one throws it off, so an update that does nothing is seen either way.
   */
  @Test
  void aModelThatHasBegunLearnsOnAndTooLargeARateThrowsItOff() {
    AdamW first = new AdamW(1e-2, 0.9, 0.95, 1e-8, 0, 1);
    StepGraphs begin = StepRank.graphs(1, first, 8, 0, Sharding.none());
    try (StepRank begun = rank(begin)) {
      train(begun, 10);
      Map<String, float[]> start = weights(begun);
      double before = heldOut(begun);
      double after = wentOn(start, 1e-3);
      double thrown = wentOn(start, 2e-2);
      assertThat(after).as("held-out loss, seed %d", StepRank.SEED).isLessThan(0.9 * before);
      assertThat(thrown).as("held-out loss, seed %d", StepRank.SEED).isGreaterThan(1.5 * before);
    }
  }

  private static double wentOn(Map<String, float[]> start, double rate) {
    try (StepRank rank = rank(tied(new Mezo(rate, 1e-3, 1, 0, 0, false), 8))) {
      rank.program()
          .fill(
              (param, from, target) -> {
                for (int i = 0; i < target.bytes() / Float.BYTES; i++) {
                  target.putFloat(i, of(start, param)[(int) from + i]);
                }
              });
      train(rank, 400);
      return heldOut(rank);
    }
  }
}
