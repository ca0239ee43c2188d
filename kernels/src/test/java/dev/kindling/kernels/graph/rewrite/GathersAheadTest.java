package dev.kindling.kernels.graph.rewrite;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kindling.kernels.graph.PlanException;
import org.junit.jupiter.api.Test;

class GathersAheadTest {
  private static GatheredChain chain(int batch) {
    GatheredChain chain = new GatheredChain(4, true);
    chain.builder.rewrite(new GatherAgain());
    chain.builder.rewrite(new GathersAhead(batch));
    return chain;
  }

  @Test
  void eachBatchStandsBeforeTheFirstUseOfTheOneBefore() {
    assertThat(chain(1).story())
        .containsExactly(
            "g0", "g1", "u0", "g2", "u1", "g3", "u2", "g2", "u3", "u3", "g1", "u2", "u1");
    assertThat(chain(2).story())
        .containsExactly(
            "g0", "g1", "g2", "g3", "u0", "u1", "g2", "g1", "u2", "u3", "u3", "u2", "u1");
  }

  @Test
  void aBatchAheadCostsItsWeightsInMemory() {
    GatheredChain deep = new GatheredChain(12, true);
    deep.builder.rewrite(new GatherAgain());
    long at = deep.peak();
    deep.builder.rewrite(new GathersAhead(1));
    assertThat(deep.peak() - at).isBetween(GatheredChain.WHOLE / 2, GatheredChain.WHOLE);
    deep.builder.rewrite(new GathersAhead(3));
    assertThat(deep.peak() - at).isBetween(4 * GatheredChain.WHOLE, 6 * GatheredChain.WHOLE);
  }

  @Test
  void anEmptyBatchIsRefused() {
    assertThatThrownBy(() -> new GathersAhead(0)).isInstanceOf(PlanException.class);
  }
}
