package dev.kindling.optim.rule;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kindling.kernels.graph.Demand;
import dev.kindling.kernels.graph.Init;
import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.graph.PlanException;
import dev.kindling.kernels.graph.Shape;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.Test;

class GroupsTest {
  private static final long SEED = Long.getLong("seed", 20260102L);
  private static final AdamW ADAM = new AdamW(1e-2, 0.9, 0.95, 1e-8, 0.1, 1.0);
  private static final AdamW SLOW = new AdamW(1e-3, 0.8, 0.99, 1e-8, 0.0, 1.0);
  private static final Sgd SGD = new Sgd(1e-1, 0.9, true, 0.05, 1.0);

  private static Param param(String name) {
    return new Param(name, Shape.of(2, 2), Demand.whole(), Init.zeros(), true);
  }

  private static float[] trained(Optimizer optimizer) {
    Random random = new Random(SEED);
    try (UpdateBench bench = new UpdateBench(optimizer)) {
      bench.start(normal(random));
      for (int update = 1; update <= 20; update++) {
        bench.update(normal(random), 3, update, 1.0 / update);
      }
      return bench.parameters();
    }
  }

  private static float[] normal(Random random) {
    float[] values = new float[UpdateBench.ELEMENTS];
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) random.nextGaussian();
    }
    return values;
  }

  /** The clip norm of all gradients together included: every gradient is longer than 1. */
  @Test
  void eachParameterMovesAsUnderItsRuleAloneToTheBit() {
    for (UpdateRule group : List.of(SGD, SLOW)) {
      float[] found = trained(new Groups(ADAM, List.of(new Group("vec*", group))));
      float[] matrix = trained(ADAM);
      float[] vector = trained(group);
      assertThat(Arrays.copyOf(found, UpdateBench.DECAYED))
          .as("seed %d", SEED)
          .isEqualTo(Arrays.copyOf(matrix, UpdateBench.DECAYED));
      assertThat(Arrays.copyOfRange(found, UpdateBench.DECAYED, UpdateBench.ELEMENTS))
          .as("seed %d", SEED)
          .isEqualTo(Arrays.copyOfRange(vector, UpdateBench.DECAYED, UpdateBench.ELEMENTS));
      assertThat(matrix).isNotEqualTo(vector);
    }
  }

  @Test
  void theFirstGroupThatMatchesCounts() {
    Groups groups = new Groups(ADAM, List.of(new Group("a.*|b", SGD), new Group("*", SLOW)));
    assertThat(groups.ruleOf(param("a.x"))).isEqualTo(SGD);
    assertThat(groups.ruleOf(param("b"))).isEqualTo(SGD);
    assertThat(groups.ruleOf(param("bb"))).isEqualTo(SLOW);
    assertThat(new Groups(ADAM, List.of(new Group("b", SGD))).ruleOf(param("x"))).isEqualTo(ADAM);
    assertThat(groups.rules()).containsExactly(ADAM, SGD, SLOW);
    assertThat(groups.lr()).isEqualTo(ADAM.lr());
  }

  @Test
  void equalRulesShareAStepBlock() {
    assertThat(new Groups(ADAM, List.of(new Group("a", SGD), new Group("b", SGD))).rules())
        .containsExactly(ADAM, SGD);
  }

  @Test
  void aPatternThatMatchesNothingIsNamedBesideTheNearestNames() {
    List<Param> params =
        List.of(param("model.embed_tokens.weight"), param("model.norm.weight"), param("head"));
    Groups groups =
        new Groups(
            ADAM,
            List.of(
                new Group("*embed*|layernorm*", SGD),
                new Group("*embed_tokens*", SLOW),
                new Group("heads", SLOW)));
    assertThatThrownBy(() -> groups.check(params))
        .isInstanceOf(PlanException.class)
        .hasMessage(
            "optimizer.groups.0.match: expected a pattern of trained parameters, \"layernorm*\""
                + " matches none; nearest: model.norm.weight, model.embed_tokens.weight, head\n"
                + "optimizer.groups.1.match: expected a parameter that no group before has,"
                + " \"*embed_tokens*\" matches none\n"
                + "optimizer.groups.2.match: expected a pattern of trained parameters, \"heads\""
                + " matches none; nearest: head, model.embed_tokens.weight, model.norm.weight");
    new Groups(ADAM, List.of(new Group("*embed*", SGD), new Group("*", SLOW))).check(params);
  }

  /** Its matrix rule would hand all that it has to AdamW, and nobody would know. */
  @Test
  void aRuleForHiddenMatricesThatGetsNoneIsNamed() {
    Param table = param("embed");
    Param gain = new Param("norm", Shape.of(2), Demand.whole(), Init.zeros(), false);
    Param hidden = new Param("map", Shape.of(2, 2), Demand.whole(), Init.zeros(), true, true);
    List<Param> params = List.of(table, gain, hidden);
    Galore galore = new Galore(1e-2, 0.9, 0.999, 1e-8, 0, 1.0, 1, 0.25, 10, 2, 5, Optional.empty());
    assertThatThrownBy(
            () -> new Groups(ADAM, List.of(new Group("embed|norm", galore))).check(params))
        .isInstanceOf(PlanException.class)
        .hasMessage(
            "optimizer.groups.0.rule: expected a rule for its parameters, embed first, found one"
                + " for hidden matrices, of which it has none");
    assertThatThrownBy(
            () ->
                new Groups(
                        galore,
                        List.of(new Group("m*", SGD), new Group("*", SLOW), new Group("x", galore)))
                    .check(List.of(table, gain, hidden, param("x"))))
        .hasMessageContaining("optimizer.groups.2.match: expected a parameter that no group before")
        .hasMessageNotContaining(".rule:");
    assertThatThrownBy(() -> new Groups(galore, List.of(new Group("map", SGD))).check(params))
        .hasMessageStartingWith("optimizer.rest: expected a rule for its parameters, embed first");
    // One hidden matrix is enough; a rest without parameters says nothing.
    new Groups(ADAM, List.of(new Group("embed|map", galore))).check(params);
    new Groups(galore, List.of(new Group("embed|norm", SGD))).check(params);
    new Groups(galore, List.of(new Group("*", SGD))).check(params);
  }

  @Test
  void wrongGroupsAreRefused() {
    assertThatThrownBy(() -> new Groups(ADAM, List.of()))
        .hasMessage("groups: expected at least one group, found none");
    AdamW free = new AdamW(1e-3, 0.9, 0.95, 1e-8, 0.1, 0.0);
    assertThatThrownBy(() -> new Groups(ADAM, List.of(new Group("a", free))))
        .hasMessage(
            "groups.0.rule.clip_norm: expected 1.0 as in rest (one norm bounds all gradients"
                + " together), found 0.0");
    assertThatThrownBy(() -> new Group("a||b", ADAM))
        .hasMessage(
            "match: expected a pattern of parameter names on each side of |, found \"a||b\"");
  }
}
