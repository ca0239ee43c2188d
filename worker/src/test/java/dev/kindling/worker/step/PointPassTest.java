package dev.kindling.worker.step;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.kindling.comm.loopback.LoopbackCommunicator;
import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.graph.Role;
import dev.kindling.kernels.graph.op.CrossEntropy;
import dev.kindling.kernels.memory.Span;
import dev.kindling.kernels.random.HalfwordNormal;
import dev.kindling.optim.objective.Accuracy;
import dev.kindling.optim.objective.F1;
import dev.kindling.optim.objective.Objective;
import dev.kindling.optim.rule.Mezo;
import dev.kindling.optim.rule.Sgd;
import dev.kindling.worker.model.Full;
import dev.kindling.worker.shard.Sharding;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What the host reads of two points, against models whose weights the host moved there. */
class PointPassTest {
  private static final double EPS = 1e-2;
  private static final int[] STREAM = {1, 2, 3, 1, 0, 4, 2};

  private static StepRank rank(Objective objective) {
    StepGraphs same = StepRank.graphs(4, new Sgd(1, 0, false, 0, 0), 8, 1, Sharding.none());
    Mezo rule = new Mezo(1e-3, EPS, 2, 0, 0, true, objective);
    MezoStep step =
        new MezoStep(same.model(), new Full(), rule, same.shape().scoring(true), 1, StepRank.SEED);
    StepRank rank = new StepRank(step, LoopbackCommunicator.create(1).get(0));
    rank.program().dryRun();
    rank.fill();
    return rank;
  }

  private static void shift(StepRank rank, double factor, int step, int direction) {
    for (Param param : rank.program().params()) {
      Span span = rank.program().memory().span(param.name());
      float[] z = new float[8];
      for (int i = 0; i < param.shape().elements(); i++) {
        if (i % 8 == 0) {
          long key = HalfwordNormal.key(StepRank.SEED, param.name());
          HalfwordNormal.block(new int[4], key, i / 8, step, direction, z);
        }
        span.putFloat(i, (float) (span.getFloat(i) + factor * z[i % 8]));
      }
    }
  }

  private static double loss(StepRank rank, int[] stream, int from) {
    StepInputs inputs = rank.program().sequence();
    for (int i = 0; i < inputs.tokens().limit(); i++) {
      boolean real = i < stream.length - 1;
      inputs.tokens().put(i, real ? stream[i] : 0);
      inputs.targets().put(i, real && i + 1 >= from ? stream[i + 1] : CrossEntropy.IGNORED);
      inputs.positions().put(i, i);
    }
    return rank.program().score();
  }

  private static int[] stream() {
    return Arrays.copyOf(STREAM, Math.min(STREAM.length, StepRank.SEQUENCE));
  }

  @Test
  void lossesAreThoseOfModelsThatWereMovedByHandAndNoWeightMoves() {
    int[] stream = stream();
    try (StepRank rank = rank(new Accuracy("questions", 4));
        StepRank twin = rank(new Accuracy("questions", 4))) {
      int[] before = rank.bits(Role.PARAMETER);
      for (int step : new int[] {1, 7}) {
        rank.program().slopes().begin(step, 0.1f);
        for (int direction = 0; direction < 2; direction++) {
          for (int from : new int[] {1, stream.length - 1}) {
            double[] found = rank.program().slopes().points().losses(direction, stream, from);
            for (int point = 0; point < 2; point++) {
              twin.fill();
              shift(twin, point == 0 ? EPS : -EPS, step, direction);
              assertThat(found[point]).isCloseTo(loss(twin, stream, from), within(1e-4));
            }
            assertThat(found[0]).isNotEqualTo(found[1]);
          }
        }
      }
      assertThat(rank.bits(Role.PARAMETER)).isEqualTo(before);
    }
  }

  @Test
  void theNextTokenIsTheOneOfLeastLoss() {
    try (StepRank writes = rank(new F1("questions", 4, 2));
        StepRank scores = rank(new Accuracy("questions", 4))) {
      writes.program().slopes().begin(3, 0.1f);
      scores.program().slopes().begin(3, 0.1f);
      for (int count : new int[] {1, 3}) {
        int[] next = writes.program().slopes().points().next(1, STREAM, count);
        int[] best = {0, 0};
        double[] least = {Double.MAX_VALUE, Double.MAX_VALUE};
        for (int token = 0; token < StepRank.VOCABULARY; token++) {
          int[] stream = Arrays.copyOf(STREAM, count + 1);
          stream[count] = token;
          double[] losses = scores.program().slopes().points().losses(1, stream, count);
          for (int point = 0; point < 2; point++) {
            if (losses[point] < least[point]) {
              least[point] = losses[point];
              best[point] = token;
            }
          }
        }
        assertThat(next).containsExactly(best);
      }
    }
  }

  /** What is not finite and where, in the final gain: logits are then NaN or infinite. */
  @ParameterizedTest
  @ValueSource(floats = {Float.NaN, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY})
  void logitsThatAreNotFiniteHaveNoLikeliestToken(float broken) {
    try (StepRank rank = rank(new F1("questions", 4, 2))) {
      rank.program().slopes().begin(3, 0.1f);
      assertThat(rank.program().slopes().points().next(0, STREAM, 3))
          .doesNotContain(PointPass.NONE);
      Param last = rank.program().params().get(rank.program().params().size() - 1);
      Span span = rank.program().memory().span(last.name());
      for (int i = 0; i < last.shape().elements(); i++) {
        span.putFloat(i, broken);
      }
      assertThat(rank.program().slopes().points().next(0, STREAM, 3))
          .as(last.name())
          .containsExactly(PointPass.NONE, PointPass.NONE);
    }
  }
}
