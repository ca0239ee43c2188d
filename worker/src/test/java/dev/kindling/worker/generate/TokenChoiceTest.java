package dev.kindling.worker.generate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kindling.worker.checkpoint.CheckpointException;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class TokenChoiceTest {
  private static final int DRAWS = 40_000;

  /** Probabilities 0.4, 0.3, 0.15, 0.1, 0.05, not in the order of ids. */
  private static final double[] P = {0.1, 0.4, 0.05, 0.3, 0.15};

  private static float[] logits() {
    float[] logits = new float[P.length];
    for (int i = 0; i < P.length; i++) {
      logits[i] = (float) (5 + Math.log(P[i]));
    }
    return logits;
  }

  /**
   * Chi-squared with at most 4 degrees of freedom: beyond 23.5 once in 10,000 seeds, and the seeds
   * are fixed.
   */
  private static void follows(Sampling sampling, double... weights) {
    int[] counts = new int[P.length];
    TokenChoice choice = new TokenChoice(sampling);
    for (int place = 0; place < DRAWS; place++) {
      counts[choice.pick(logits(), place)]++;
    }
    double sum = Arrays.stream(weights).sum();
    double statistic = 0;
    for (int i = 0; i < P.length; i++) {
      double expected = DRAWS * weights[i] / sum;
      if (weights[i] == 0) {
        assertThat(counts[i]).as("%s: id %d", sampling, i).isZero();
      } else {
        statistic += Math.pow(counts[i] - expected, 2) / expected;
      }
    }
    assertThat(statistic)
        .as("%s: %s of %s", sampling, Arrays.toString(counts), Arrays.toString(weights))
        .isLessThan(23.5);
  }

  @Test
  void drawsFollowTheModelAndItsTemperature() {
    follows(new Sampling(1, 0, 1, 1), P);
    follows(new Sampling(0.5, 0, 1, 2), Arrays.stream(P).map(p -> p * p).toArray());
    follows(new Sampling(2, 0, 1, 3), Arrays.stream(P).map(Math::sqrt).toArray());
  }

  @Test
  void topKKeepsTheMostLikely() {
    follows(new Sampling(1, 3, 1, 4), 0, 0.4, 0, 0.3, 0.15);
    follows(new Sampling(1, 1, 1, 5), 0, 1, 0, 0, 0);
    follows(new Sampling(1, 99, 1, 6), P);
  }

  @Test
  void topPKeepsTheSmallestHeadThatReachesIt() {
    follows(new Sampling(1, 0, 0.6, 7), 0, 0.4, 0, 0.3, 0);
    follows(new Sampling(1, 0, 0.75, 8), 0, 0.4, 0, 0.3, 0.15);
    follows(new Sampling(1, 0, 0.3, 9), 0, 1, 0, 0, 0);
    // Of squared probabilities 0.16, 0.09, 0.0225, ... the first two hold 88 in 100.
    follows(new Sampling(0.5, 0, 0.85, 10), 0, 0.16, 0, 0.09, 0);
  }

  /** The nucleus is taken of what top-k left: 0.4 of 0.7 is 0.57. */
  @Test
  void topPCutsWhatTopKLeft() {
    follows(new Sampling(1, 2, 0.55, 11), 0, 1, 0, 0, 0);
    follows(new Sampling(1, 2, 0.6, 12), 0, 0.4, 0, 0.3, 0);
  }

  @Test
  void temperatureZeroTakesTheFirstOfTheMostLikely() {
    TokenChoice greedy = new TokenChoice(Sampling.greedy());
    assertThat(greedy.pick(new float[] {0f, 1f, 3f, 3f, -2f}, 0)).isEqualTo(2);
    assertThat(greedy.pick(logits(), 9)).isEqualTo(1);
  }

  @Test
  void aChoiceDependsOnSeedAndPlaceAlone() {
    Sampling sampling = new Sampling(1, 0, 1, 13);
    for (int place = 0; place < 100; place++) {
      assertThat(new TokenChoice(sampling).pick(logits(), place))
          .isEqualTo(new TokenChoice(sampling).pick(logits(), place));
    }
  }

  @ParameterizedTest
  @ValueSource(doubles = {0, 1})
  void whatIsNoNumberIsRefused(double temperature) {
    TokenChoice choice = new TokenChoice(new Sampling(temperature, 0, 1, 1));
    assertThatThrownBy(() -> choice.pick(new float[] {1, Float.NaN, 2}, 7))
        .isInstanceOf(CheckpointException.class)
        .hasMessageContaining("token 7", "id 1", "NaN");
  }
}
