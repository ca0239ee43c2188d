package dev.kindling.kernels.graph.rewrite;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class GatherAgainTest {
  @Test
  void backwardGathersAgainButForTheLastWeight() {
    GatheredChain chain = new GatheredChain(3, true);
    // The first weight has no input gradient, so backward does not read it.
    assertThat(chain.story()).containsExactly("g0", "u0", "g1", "u1", "g2", "u2", "u2", "u1");
    chain.builder.rewrite(new GatherAgain());
    assertThat(chain.story()).containsExactly("g0", "u0", "g1", "u1", "g2", "u2", "u2", "g1", "u1");
  }

  @Test
  void thePeakDoesNotGrowWithTheNumberOfWeights() {
    GatheredChain kept = new GatheredChain(12, true);
    GatheredChain again = new GatheredChain(12, true);
    again.builder.rewrite(new GatherAgain());
    assertThat(kept.peak()).isGreaterThan(11 * GatheredChain.WHOLE);
    // One weight and its gradient; the rest are activations of 4 tokens.
    assertThat(again.peak()).isLessThan(4 * GatheredChain.WHOLE);
  }

  @Test
  void doesNotFireInForwardAlone() {
    GatheredChain chain = new GatheredChain(3, false);
    chain.builder.rewrite(new GatherAgain());
    assertThat(chain.story()).containsExactly("g0", "u0", "g1", "u1", "g2", "u2");
  }
}
