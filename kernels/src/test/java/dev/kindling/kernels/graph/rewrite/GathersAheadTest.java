package dev.kindling.kernels.graph.rewrite;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class GathersAheadTest {
  private static GatheredChain chain(int ahead) {
    GatheredChain chain = new GatheredChain(4, true);
    chain.builder.rewrite(new GatherAgain());
    chain.builder.rewrite(new GathersAhead(ahead));
    return chain;
  }

  @Test
  void eachGatherStandsBeforeTheUseOfAnEarlierOne() {
    assertThat(chain(0).story())
        .containsExactly(
            "g0", "u0", "g1", "u1", "g2", "u2", "g3", "u3", "u3", "g2", "u2", "g1", "u1");
    assertThat(chain(1).story())
        .containsExactly(
            "g0", "g1", "u0", "g2", "u1", "g3", "u2", "g2", "u3", "u3", "g1", "u2", "u1");
    assertThat(chain(2).story())
        .containsExactly(
            "g0", "g1", "g2", "u0", "g3", "u1", "g2", "u2", "g1", "u3", "u3", "u2", "u1");
  }

  @Test
  void oneMoreAheadCostsOneMoreWeightInMemory() {
    GatheredChain deep = new GatheredChain(12, true);
    deep.builder.rewrite(new GatherAgain());
    long at = deep.peak();
    deep.builder.rewrite(new GathersAhead(1));
    assertThat(deep.peak() - at).isBetween(GatheredChain.WHOLE / 2, GatheredChain.WHOLE);
  }
}
