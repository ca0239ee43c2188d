package dev.kindling.benchmarks.scaling;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.Set;
import org.junit.jupiter.api.Test;

class AllReduceCostTest {
  private static final Cluster CLUSTER =
      new Cluster(8, new Link("inside", 3600, 10, 0.7), new Link("between", 10, 30, 0.9));

  @Test
  void largeVectorsGoInARingAndSmallOnesInATree() {
    AllReduceCost cost = new AllReduceCost(256, CLUSTER);
    assertThat(cost.fastest(1e10)).isEqualTo(Algorithm.HIERARCHICAL);
    assertThat(cost.fastest(4096)).isEqualTo(Algorithm.TREE);
    assertThat(cost.seconds(4096))
        .isEqualTo(Algorithm.TREE.seconds(4096, 256, CLUSTER))
        .isLessThan(Algorithm.RING.seconds(4096, 256, CLUSTER));
  }

  @Test
  void onlyWhatIsAllowedIsTaken() {
    AllReduceCost cost = new AllReduceCost(256, CLUSTER, Set.of(Algorithm.RING));
    assertThat(cost.seconds(4096)).isEqualTo(Algorithm.RING.seconds(4096, 256, CLUSTER));
  }

  @Test
  void withoutTimeItTakesNone() {
    assertThat(new AllReduceCost(256, CLUSTER).withoutTime().seconds(1e12)).isZero();
    assertThat(new AllReduceCost(8, CLUSTER).withoutTime().seconds(1e12)).isZero();
  }

  @Test
  void aHostIsWhole() {
    new AllReduceCost(3, CLUSTER);
    assertThatThrownBy(() -> new AllReduceCost(12, CLUSTER))
        .hasMessageContaining("workers: expected at most 8 or a multiple of it")
        .hasMessageContaining("found 12");
  }
}
