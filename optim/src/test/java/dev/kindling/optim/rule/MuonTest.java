package dev.kindling.optim.rule;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.kindling.kernels.graph.Demand;
import dev.kindling.kernels.graph.Init;
import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.graph.Shape;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.Test;

class MuonTest {
  private static final long SEED = Long.getLong("seed", 20260104L);

  private static Param matrix(String name, int rows, int columns) {
    return new Param(name, Shape.of(rows, columns), Demand.whole(), Init.normal(1), true);
  }

  private static float[] normal(Random random, int count) {
    float[] values = new float[count];
    for (int i = 0; i < count; i++) {
      values[i] = (float) random.nextGaussian();
    }
    return values;
  }

  @Test
  void wideTallAndSquareMatricesFollowTheReference() {
    Muon muon = new Muon(2e-3, 0.95, true, 5, MuonScale.ORIGINAL, 0.1, 0, Optional.empty());
    for (int[] shape : new int[][] {{2, 7}, {7, 2}, {5, 5}, {1, 4}, {12, 30}}) {
      int count = shape[0] * shape[1];
      Random random = new Random(SEED);
      float[] start = normal(random, count);
      double[] theta = new double[count];
      for (int i = 0; i < count; i++) {
        theta[i] = start[i];
      }
      double[] momentum = new double[count];
      List<Param> params = List.of(matrix("w", shape[0], shape[1]));
      try (UpdateBench bench = new UpdateBench(muon, params)) {
        bench.start(start);
        for (int update = 1; update <= 100; update++) {
          float[] gradient = normal(random, count);
          double[] g = new double[count];
          for (int i = 0; i < count; i++) {
            g[i] = gradient[i];
          }
          bench.update(gradient, 1, update, 1.0);
          MatrixReference.muon(muon, g, theta, momentum, shape, muon.lr());
        }
        float[] found = bench.parameters();
        for (int i = 0; i < count; i++) {
          assertThat((double) found[i])
              .as("[%d, %d] element %d, seed %d", shape[0], shape[1], i, SEED)
              .isCloseTo(theta[i], within(2e-5));
        }
      }
    }
  }

  /** What the coefficients are for: all singular values end near 1, whatever they were. */
  @Test
  void directionsAreNearlyOrthogonal() {
    Muon muon = new Muon(1, 0, false, 5, MuonScale.ORIGINAL, 0, 0, Optional.empty());
    Random random = new Random(SEED);
    try (UpdateBench bench = new UpdateBench(muon, List.of(matrix("w", 4, 16)))) {
      bench.start(new float[64]);
      bench.update(normal(random, 64), 1, 1, 1.0);
      float[] moved = bench.parameters();
      for (int i = 0; i < 4; i++) {
        for (int j = 0; j < 4; j++) {
          double product = 0;
          for (int k = 0; k < 16; k++) {
            product += (double) moved[i * 16 + k] * moved[j * 16 + k];
          }
          // Squares of singular values lie in [0.68, 1.27]: so does each diagonal element.
          assertThat(product).isCloseTo(i == j ? 0.97 : 0, within(0.31));
        }
      }
    }
  }

  @Test
  void theStepOfMatchRmsIsAFifthInEachElement() {
    Muon muon = new Muon(1, 0, false, 5, MuonScale.MATCH_RMS, 0, 0, Optional.empty());
    try (UpdateBench bench = new UpdateBench(muon, List.of(matrix("w", 16, 16)))) {
      bench.start(new float[256]);
      bench.update(normal(new Random(SEED), 256), 1, 1, 1.0);
      double squares = 0;
      for (float each : bench.parameters()) {
        squares += (double) each * each;
      }
      assertThat(Math.sqrt(squares / 256)).isCloseTo(0.2, within(0.04));
    }
  }

  @Test
  void tablesHeadAndVectorsHaveTheOtherRule() {
    ElementRule lion = new Lion(1e-4, 0.9, 0.99, 0.0, 1.0);
    Muon muon = new Muon(1e-2, 0.95, true, 5, MuonScale.ORIGINAL, 0.1, 1.0, Optional.of(lion));
    Muon plain = new Muon(1e-2, 0.95, true, 5, MuonScale.ORIGINAL, 0.1, 1.0, Optional.empty());
    Param gain = new Param("norm.weight", Shape.of(4), Demand.whole(), Init.ones(), false);
    for (Param other :
        List.of(matrix("model.embed_tokens.weight", 4, 4), matrix("lm_head.weight", 4, 4), gain)) {
      assertThat(muon.ruleOf(other)).isEqualTo(lion);
      assertThat(plain.ruleOf(other)).isEqualTo(new AdamW(1e-2, 0.9, 0.95, 1e-8, 0.1, 1.0));
    }
    Param hidden = matrix("model.layers.0.mlp.up_proj.weight", 4, 4);
    assertThat(muon.ruleOf(hidden)).isEqualTo(muon);
    assertThat(new Groups(plain, List.of(new Group("*mlp*", lion))).ruleOf(hidden)).isEqualTo(lion);
    assertThat(new Groups(lion, List.of(new Group("*", muon))).rules()).containsExactly(lion, muon);
  }

  @Test
  void wrongValuesAreReportedTogether() {
    Optional<ElementRule> rest = Optional.of(new Sgd(0.1, 0, false, 0, 2.0));
    assertThatThrownBy(() -> new Muon(0, 0.95, true, 0, MuonScale.ORIGINAL, 0.1, 1.0, rest))
        .hasMessage(
            "lr: expected a number above 0, found 0.0\n"
                + "steps: expected 1 or more, found 0\n"
                + "rest.clip_norm: expected 1.0 as beside it (one norm bounds all gradients"
                + " together), found 2.0");
  }
}
