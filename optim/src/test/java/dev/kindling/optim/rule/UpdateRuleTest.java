package dev.kindling.optim.rule;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.kindling.kernels.graph.Demand;
import dev.kindling.kernels.graph.Init;
import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.graph.PlanException;
import dev.kindling.kernels.graph.Shape;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

class UpdateRuleTest {
  private static final long SEED = Long.getLong("seed", 20260101L);
  private static final float TOKENS = 5;

  /** Every rule, with each of its switches on and off. The totality test below reads this list. */
  private static final List<UpdateRule> RULES =
      List.of(
          new AdamW(1e-2, 0.9, 0.95, 1e-8, 0.1, 1.0),
          new AdamW(3e-3, 0.8, 0.999, 1e-3, 0.0, 0.0),
          new AdamW(1e-2, 0.9, 0.95, 1e-8, 0.1, 1.0, true, AdamState.INT8),
          new Adafactor(1e-2, 0.8, 1e-30, 1e-3, 1.0, false, false, 0.1, 1.0),
          new Adafactor(0.3, 0.6, 1e-8, 1e-3, 0.5, true, true, 0.0, 0.0),
          new AdamMini(1e-2, 0.9, 0.95, 1e-8, Optional.empty(), 0.1, 1.0),
          new AdamMini(3e-3, 0.8, 0.999, 1e-3, Optional.of(2), 0.0, 0.0),
          new Muon(1e-3, 0.95, true, 5, MuonScale.MATCH_RMS, 0.1, 1.0, Optional.empty()),
          new Muon(1e-3, 0.9, false, 3, MuonScale.ORIGINAL, 0.0, 0.0, Optional.empty()),
          new Lion(1e-3, 0.9, 0.99, 0.1, 1.0),
          new Lion(1e-2, 0.95, 0.98, 0.0, 0.0),
          apollo(Granularity.TENSOR, 1.01, Optional.of(2.0)),
          apollo(Granularity.TENSOR, 0, Optional.empty()),
          new ApolloMini(
              1e-2,
              0.9,
              0.999,
              1e-6,
              0.1,
              1.0,
              Optional.empty(),
              30,
              true,
              1.01,
              3,
              Optional.empty()),
          galore(2, 0.1),
          galore(1, 0.0),
          new Sgd(1e-2, 0.0, false, 0.0, 0.0),
          new Sgd(1e-2, 0.0, false, 0.1, 1.0),
          new Sgd(1e-2, 0.9, false, 0.05, 1.0),
          new Sgd(1e-2, 0.9, true, 0.05, 1.0),
          new Sgd(1e-2, 0.5, true, 0.0, 0.0));

  /** Of rank 2, which is all that the matrix of the bench has. */
  private static Apollo apollo(Granularity granularity, double growth, Optional<Double> scale) {
    return new Apollo(
        1e-2,
        0.9,
        0.999,
        1e-6,
        0.1,
        1.0,
        2,
        scale,
        30,
        false,
        growth,
        granularity,
        3,
        Optional.empty());
  }

  /** As many iterations as singular values of random gradients want that lie side by side. */
  private static Galore galore(int rank, double decay) {
    return new Galore(1e-2, 0.9, 0.999, 1e-6, decay, 1.0, rank, 0.5, 30, 2000, 3, Optional.empty());
  }

  private static float[] normal(Random random, double size) {
    float[] values = new float[UpdateBench.ELEMENTS];
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) (size * random.nextGaussian());
    }
    return values;
  }

  /** Factors of an adapter are no hidden matrices: all of them would silently get the rest. */
  @Test
  void aRuleForMatricesIsRefusedWhereNoneIsTrained() {
    Param factor =
        new Param("q.lora_A.weight", Shape.of(2, 4), Demand.whole(), Init.zeros(), true, false);
    Param matrix = new Param("q.weight", Shape.of(4, 4), Demand.whole(), Init.zeros(), true, true);
    Param gain = new Param("norm.weight", Shape.of(4), Demand.whole(), Init.ones(), false, false);
    for (UpdateRule rule : RULES) {
      rule.check(List.of(gain, factor, matrix));
      boolean projects =
          rule instanceof Apollo || rule instanceof ApolloMini || rule instanceof Galore;
      if (projects) {
        assertThatThrownBy(() -> rule.check(List.of(factor, gain)))
            .as("%s", rule)
            .isInstanceOf(PlanException.class)
            .hasMessageContaining("optimizer.type: expected a rule for what is trained, q.lora_A")
            .hasMessageContaining("found one for hidden matrices");
      } else {
        rule.check(List.of(factor, gain));
      }
      if (projects || rule instanceof Muon) {
        assertThatThrownBy(() -> rule.check(List.of(gain))).hasMessageContaining("norm.weight");
      } else {
        rule.check(List.of(gain));
      }
    }
  }

  @Test
  void everyPermittedRuleIsInTheListOfThisTest() {
    assertThat(RULES.stream().map(Object::getClass).distinct())
        .containsExactlyInAnyOrderElementsOf(records(UpdateRule.class).toList());
  }

  private static Stream<Class<?>> records(Class<?> sealed) {
    return Arrays.stream(sealed.getPermittedSubclasses())
        .flatMap(each -> each.isRecord() ? Stream.of(each) : records(each));
  }

  @Test
  void hundredUpdatesFollowThePapersInDoublePrecision() {
    for (UpdateRule rule : RULES) {
      Random random = new Random(SEED);
      float[] start = normal(random, 1);
      UpdateReference reference = new UpdateReference(rule, start);
      try (UpdateBench bench = new UpdateBench(rule)) {
        bench.start(start);
        for (int update = 1; update <= 100; update++) {
          // Every tenth gradient is large enough to be clipped, the others are not.
          float[] gradient = normal(random, TOKENS * (update % 10 == 4 ? 5 : 0.1));
          double lrFactor = 0.5 + 0.5 * (update % 7) / 7;
          bench.update(gradient, TOKENS, update, lrFactor);
          reference.update(gradient, TOKENS, lrFactor);
          float[] found = bench.parameters();
          for (int i = 0; i < found.length; i++) {
            assertThat((double) found[i])
                .as("%s, seed %d, update %d, element %d", rule, SEED, update, i)
                .isCloseTo(reference.parameters()[i], within(2e-5));
          }
        }
      }
    }
  }

  @Test
  void theFirstAdamUpdateMovesEachElementByTheLearningRateAgainstItsGradient() {
    AdamW rule = new AdamW(0.25, 0.9, 0.999, 1e-12, 0.0, 0.0);
    float[] start = new float[UpdateBench.ELEMENTS];
    float[] gradient = normal(new Random(SEED), 1);
    try (UpdateBench bench = new UpdateBench(rule)) {
      bench.start(start);
      bench.update(gradient, 1, 1, 1.0);
      float[] found = bench.parameters();
      for (int i = 0; i < found.length; i++) {
        assertThat(found[i]).isCloseTo(-0.25f * Math.signum(gradient[i]), within(1e-5f));
      }
    }
  }

  @Test
  void onlyMatricesDecay() {
    for (UpdateRule rule :
        List.of(
            new AdamW(0.1, 0.9, 0.95, 1e-8, 0.5, 0.0),
            new Adafactor(0.1, 0.8, 1e-30, 1e-3, 1, false, false, 0.5, 0),
            new AdamMini(0.1, 0.9, 0.95, 1e-8, Optional.empty(), 0.5, 0),
            new Muon(0.1, 0.95, true, 5, MuonScale.ORIGINAL, 0.5, 0, Optional.empty()),
            new Lion(0.1, 0.9, 0.99, 0.5, 0.0),
            new Sgd(0.1, 0.0, false, 0.5, 0.0))) {
      float[] ones = new float[UpdateBench.ELEMENTS];
      Arrays.fill(ones, 1f);
      try (UpdateBench bench = new UpdateBench(rule)) {
        bench.start(ones);
        bench.update(new float[UpdateBench.ELEMENTS], 1, 1, 1.0);
        float[] found = bench.parameters();
        for (int i = 0; i < found.length; i++) {
          float expected = i < UpdateBench.DECAYED ? 0.95f : 1f;
          assertThat(found[i]).as("%s element %d", rule, i).isCloseTo(expected, within(1e-6f));
        }
      }
    }
  }

  @Test
  void aGradientThatIsNotFiniteLeavesEveryBitOfParametersAndState() {
    for (UpdateRule rule : RULES) {
      for (float bad : new float[] {Float.NaN, Float.POSITIVE_INFINITY}) {
        Random random = new Random(SEED);
        try (UpdateBench bench = new UpdateBench(rule)) {
          bench.start(normal(random, 1));
          bench.update(normal(random, 1), TOKENS, 1, 1.0);
          float[] parameters = bench.parameters();
          float[] state = bench.state();
          float[] gradient = normal(random, 1);
          gradient[7] = bad;
          bench.update(gradient, TOKENS, 2, 1.0);
          assertThat(bench.parameters()).as("%s, %s", rule, bad).isEqualTo(parameters);
          assertThat(bench.state()).as("%s, %s", rule, bad).isEqualTo(state);
        }
      }
    }
  }

  @Test
  void stateIsAsLargeAsTheRuleSays() {
    Param p = new Param("w", Shape.of(6, 4), Demand.whole(), Init.zeros(), true);
    AdamW adam = new AdamW(1, 0.9, 0.95, 1e-8, 0, 0);
    assertThat(adam.stateBytes(p, p.shape())).isEqualTo(2 * 4 * 24);
    assertThat(adam.stateBytes(p, Shape.of(6, 3))).isEqualTo(2 * 4 * 18);
    assertThat(adam.state(p, p.shape()).stream().map(StateVariable::name))
        .containsExactly("state/m/w", "state/v/w");
    assertThat(new Sgd(1, 0, false, 0, 0).stateBytes(p, p.shape())).isZero();
    assertThat(new Sgd(1, 0.9, false, 0, 0).state(p, p.shape()).stream().map(StateVariable::name))
        .containsExactly("state/momentum/w");
  }

  @Test
  void wrongValuesAreReportedTogether() {
    assertThatThrownBy(() -> new AdamW(-1, 1.0, 0.95, 0, -0.1, Double.NaN))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage(
            "lr: expected a number above 0, found -1.0\n"
                + "beta1: expected a number in [0, 1), found 1.0\n"
                + "eps: expected a number above 0, found 0.0\n"
                + "weight_decay: expected a number of 0 or more, found -0.1\n"
                + "clip_norm: expected a number of 0 or more, found NaN");
    assertThatThrownBy(() -> new Sgd(0.1, 0, true, 0, 0))
        .hasMessage("momentum: expected a number above 0 for nesterov, found 0.0");
    try (UpdateBench bench = new UpdateBench(RULES.get(0))) {
      assertThatThrownBy(() -> bench.update(new float[UpdateBench.ELEMENTS], 1, 0, 1.0))
          .hasMessageContaining("count from 1");
    }
  }

  @Test
  void defaultsArePinned() {
    assertThat(AdamW.defaults())
        .isEqualTo(
            Map.of(
                "beta1",
                0.9,
                "beta2",
                0.95,
                "eps",
                1e-8,
                "weightDecay",
                0.1,
                "clipNorm",
                1.0,
                "master",
                true,
                "state",
                AdamState.FP32));
    assertThat(Lion.defaults())
        .isEqualTo(Map.of("beta1", 0.9, "beta2", 0.99, "weightDecay", 0.1, "clipNorm", 1.0));
    assertThat(Sgd.defaults())
        .isEqualTo(Map.of("momentum", 0.0, "nesterov", false, "weightDecay", 0.0, "clipNorm", 1.0));
  }

  /** Those of the papers and their code, as the specification of each rule lists them. */
  @Test
  void defaultsOfRulesForMatricesArePinned() {
    Map<String, Object> mini =
        Map.of(
            "beta1", 0.9,
            "beta2", 0.999,
            "eps", 1e-6,
            "weightDecay", 0.0,
            "clipNorm", 0.0,
            "updateInterval", 200,
            "scaleFront", false,
            "normGrowth", 1.01,
            "seed", 0L,
            "weights", WeightStorage.FP32);
    Map<String, Object> apollo = new HashMap<>(mini);
    apollo.putAll(Map.of("rank", 256, "granularity", Granularity.CHANNEL));
    Map<String, Object> galore = new HashMap<>(mini);
    galore.keySet().removeAll(List.of("scaleFront", "normGrowth", "weights"));
    galore.putAll(Map.of("rank", 256, "scale", 0.25, "iterations", 8));
    assertThat(ApolloMini.defaults()).isEqualTo(mini);
    assertThat(Apollo.defaults()).isEqualTo(apollo);
    assertThat(Galore.defaults()).isEqualTo(galore);
    assertThat(Muon.defaults())
        .isEqualTo(
            Map.of(
                "momentum",
                0.95,
                "nesterov",
                true,
                "steps",
                5,
                "scale",
                MuonScale.MATCH_RMS,
                "weightDecay",
                0.1,
                "clipNorm",
                1.0));
    assertThat(AdamMini.defaults())
        .isEqualTo(
            Map.of("beta1", 0.9, "beta2", 0.95, "eps", 1e-8, "weightDecay", 0.1, "clipNorm", 1.0));
    assertThat(Adafactor.defaults())
        .isEqualTo(
            Map.of(
                "beta2Decay", 0.8,
                "eps1", 1e-30,
                "eps2", 1e-3,
                "clipThreshold", 1.0,
                "relativeStep", false,
                "scaleParameter", false,
                "weightDecay", 0.0,
                "clipNorm", 1.0));
  }
}
