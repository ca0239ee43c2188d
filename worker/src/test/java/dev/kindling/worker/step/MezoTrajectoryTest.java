package dev.kindling.worker.step;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.memory.Span;
import dev.kindling.optim.rule.Mezo;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/** Many zeroth-order steps of a tiny model beside the same in fp64. */
class MezoTrajectoryTest {
  private static final double LR = 1e-3;
  private static final double EPS = 1e-2;
  private static final Mezo RULE = new Mezo(LR, EPS, 1, 0.1, 0, true);

  /** The formula with weights in fp64; losses come from forwards of the model at its points. */
  @Test
  void aHundredStepsFollowTheFormula() {
    try (StepRank rank = MezoStepTest.rank(MezoStepTest.step(RULE, 8, 1, 1));
        StepRank twin = MezoStepTest.rank(MezoStepTest.step(RULE, 8, 1, 1))) {
      List<double[]> theta = new ArrayList<>();
      for (Param param : twin.program().params()) {
        float[] first = twin.program().memory().span(param.name()).toFloats();
        theta.add(IntStream.range(0, first.length).mapToDouble(i -> first[i]).toArray());
      }
      for (int step = 1; step <= 100; step++) {
        double plus = meanLossAt(twin, theta, EPS, step);
        double slope = (plus - meanLossAt(twin, theta, -EPS, step)) / (2 * EPS);
        int at = 0;
        for (Param param : twin.program().params()) {
          double[] own = theta.get(at++);
          float[] z = MezoStepTest.normals(param.name(), own.length, step, 0);
          for (int i = 0; i < own.length; i++) {
            own[i] -= LR * (slope * z[i] + (param.decay() ? 0.1 : 0) * own[i]);
          }
        }
        assertThat((double) rank.step(0, 8).projected(0))
            .as("step %d, seed %d", step, StepRank.SEED)
            .isCloseTo(slope, within(2e-3));
      }
      int at = 0;
      for (Param param : rank.program().params()) {
        float[] found = rank.program().memory().span(param.name()).toFloats();
        double[] own = theta.get(at++);
        for (int i = 0; i < own.length; i++) {
          assertThat((double) found[i]).as(param.name()).isCloseTo(own[i], within(2e-5));
        }
      }
    }
  }

  /** Mean loss at theta + factor z of this step. */
  private static double meanLossAt(StepRank rank, List<double[]> theta, double factor, int step) {
    int at = 0;
    for (Param param : rank.program().params()) {
      Span span = rank.program().memory().span(param.name());
      double[] own = theta.get(at++);
      float[] z = MezoStepTest.normals(param.name(), own.length, step, 0);
      for (int i = 0; i < own.length; i++) {
        span.putFloat(i, (float) (own[i] + factor * z[i]));
      }
    }
    return MezoStepTest.meanLoss(rank);
  }
}
