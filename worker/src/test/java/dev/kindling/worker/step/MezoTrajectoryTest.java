package dev.kindling.worker.step;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.memory.Span;
import dev.kindling.optim.rule.Mezo;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/** Many zeroth-order steps of a tiny model beside the same in fp64. */
class MezoTrajectoryTest {
  private static final double LR = 1e-3;
  private static final double EPS = 1e-2;
  private static final double DECAY = 0.1;

  /** Liu et al. 2024 leave out the three quarters of each matrix that are largest at step 0. */
  private static final double SPARSITY = 0.75;

  /** Of a magnitude this near the threshold fp32 may decide otherwise than fp64. */
  private static final double UNSURE = 1e-5;

  /** A parameter in fp64, and which elements of it ever moved and were hard to decide. */
  private static final class Twin {
    private final Param param;
    private final double[] theta;
    private final double[] first;
    private final double threshold;
    private final Set<Integer> moved = new HashSet<>();
    private final Set<Integer> unsure = new HashSet<>();

    Twin(Param param, float[] start, double sparsity) {
      this.param = param;
      theta = IntStream.range(0, start.length).mapToDouble(i -> start[i]).toArray();
      first = theta.clone();
      double[] sizes = Arrays.stream(theta).map(Math::abs).sorted().toArray();
      boolean masked = sparsity > 0 && param.shape().rank() == 2;
      int kept = (int) Math.round((1 - sparsity) * sizes.length);
      threshold = masked ? sizes[kept - 1] : Double.POSITIVE_INFINITY;
    }

    /** The direction of a step where the weights are small now. */
    double[] direction(int step) {
      float[] z = MezoStepTest.normals(param.name(), theta.length, step, 0);
      double[] masked = new double[z.length];
      for (int i = 0; i < z.length; i++) {
        masked[i] = Math.abs(theta[i]) <= threshold ? z[i] : 0;
      }
      return masked;
    }

    void update(double slope, int step) {
      double[] z = direction(step);
      for (int i = 0; i < z.length; i++) {
        boolean moves = Math.abs(theta[i]) <= threshold;
        if (moved.contains(i) && Math.abs(Math.abs(theta[i]) - threshold) < UNSURE) {
          unsure.add(i);
        }
        if (moves) {
          theta[i] -= LR * (slope * z[i] + (param.decay() ? DECAY : 0) * theta[i]);
          moved.add(i);
        }
      }
    }
  }

  private static Mezo rule(double sparsity) {
    return new Mezo(LR, EPS, 1, DECAY, sparsity, true);
  }

  /** A hundred steps of a model beside those of its twins, whose last weights it gives. */
  private static List<Twin> follow(StepRank rank, double sparsity) {
    List<Twin> twins = new ArrayList<>();
    try (StepRank places = MezoStepTest.rank(MezoStepTest.step(rule(0), 8, 1, 1))) {
      for (Param param : places.program().params()) {
        Span span = places.program().memory().span(param.name());
        twins.add(new Twin(param, span.toFloats(), sparsity));
      }
      for (int step = 1; step <= 100; step++) {
        double plus = meanLossAt(places, twins, EPS, step);
        double slope = (plus - meanLossAt(places, twins, -EPS, step)) / (2 * EPS);
        for (Twin twin : twins) {
          twin.update(slope, step);
        }
        assertThat((double) rank.step(0, 8).projected(0))
            .as("step %d, seed %d", step, StepRank.SEED)
            .isCloseTo(slope, within(2e-3));
      }
    }
    return twins;
  }

  /** Mean loss of the model at theta + factor z of this step. */
  private static double meanLossAt(StepRank rank, List<Twin> twins, double factor, int step) {
    for (Twin twin : twins) {
      Span span = rank.program().memory().span(twin.param.name());
      double[] z = twin.direction(step);
      for (int i = 0; i < z.length; i++) {
        span.putFloat(i, (float) (twin.theta[i] + factor * z[i]));
      }
    }
    return MezoStepTest.meanLoss(rank);
  }

  /** The formula with weights in fp64; losses come from forwards of the model at its points. */
  @Test
  void aHundredStepsFollowTheFormula() {
    try (StepRank rank = MezoStepTest.rank(MezoStepTest.step(rule(0), 8, 1, 1))) {
      for (Twin twin : follow(rank, 0)) {
        float[] found = rank.program().memory().span(twin.param.name()).toFloats();
        for (int i = 0; i < found.length; i++) {
          assertThat((double) found[i])
              .as(twin.param.name())
              .isCloseTo(twin.theta[i], within(2e-5));
        }
      }
    }
  }

  /** Thresholds stay, membership follows the weights: what grows beyond one stands still there. */
  @Test
  void aHundredStepsOfTheSmallWeightsFollowTheFormula() {
    int leftOut = 0;
    int grown = 0;
    int unsure = 0;
    try (StepRank rank = MezoStepTest.rank(MezoStepTest.step(rule(SPARSITY), 8, 1, 1))) {
      for (Twin twin : follow(rank, SPARSITY)) {
        float[] found = rank.program().memory().span(twin.param.name()).toFloats();
        unsure += twin.unsure.size();
        for (int i = 0; i < found.length; i++) {
          double expected = twin.theta[i];
          grown += twin.moved.contains(i) && Math.abs(expected) > twin.threshold ? 1 : 0;
          if (!twin.moved.contains(i)) {
            assertThat(found[i]).as(twin.param.name()).isEqualTo((float) twin.first[i]);
            leftOut++;
          } else if (!twin.unsure.contains(i)) {
            assertThat((double) found[i])
                .as("%s[%d]", twin.param.name(), i)
                .isCloseTo(expected, within(2e-5));
          }
        }
      }
    }
    assertThat(leftOut).isPositive();
    assertThat(grown).as("weights that left the mask").isGreaterThan(50);
    assertThat(unsure).isLessThan(grown / 10);
  }
}
