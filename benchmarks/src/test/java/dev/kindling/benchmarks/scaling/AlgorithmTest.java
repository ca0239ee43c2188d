package dev.kindling.benchmarks.scaling;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import org.junit.jupiter.api.Test;

class AlgorithmTest {
  /** 100 GB/s and 2 us inside, 10 Gbit/s = 1.25 GB/s, of which 80 %, and 30 us between. */
  private static final Cluster CLUSTER =
      new Cluster(8, new Link("inside", 800, 2, 1), new Link("between", 10, 30, 0.8));

  private static final double BYTES = 1e9;

  @Test
  void onOneHostThereIsOnlyARingInside() {
    double seconds = 14 * (2e-6 + BYTES / 8 / 100e9);
    for (Algorithm each : Algorithm.values()) {
      assertThat(each.seconds(BYTES, 8, CLUSTER)).isCloseTo(seconds, within(1e-15));
    }
    assertThat(Algorithm.RING.seconds(BYTES, 1, CLUSTER)).isZero();
  }

  @Test
  void aFlatRingHopsOverAllWorkersAtTheRateOfTheSlowestLink() {
    double seconds = 2 * 31 * (30e-6 + BYTES / 32 / 1e9);
    assertThat(Algorithm.RING.seconds(BYTES, 32, CLUSTER)).isCloseTo(seconds, within(1e-12));
  }

  @Test
  void theSlowestLinkOfAFlatRingMayBeInside() {
    Cluster slow = new Cluster(8, new Link("inside", 4, 90, 1), CLUSTER.between());
    double seconds = 2 * 31 * (90e-6 + BYTES / 32 / 0.5e9);
    assertThat(Algorithm.RING.seconds(BYTES, 32, slow)).isCloseTo(seconds, within(1e-12));
  }

  @Test
  void aHierarchicalRingHopsOverHosts() {
    double inside = 14 * (2e-6 + BYTES / 8 / 100e9);
    double between = 2 * 3 * (30e-6 + BYTES / 4 / 1e9);
    assertThat(Algorithm.HIERARCHICAL.seconds(BYTES, 32, CLUSTER))
        .isCloseTo(inside + between, within(1e-12));
  }

  @Test
  void aTreeHasTwiceTheLevelsAsHops() {
    double inside = 14 * (2e-6 + BYTES / 8 / 100e9);
    for (int[] hostsAndLevels : new int[][] {{2, 1}, {3, 2}, {4, 2}, {5, 3}, {512, 9}}) {
      double between = 2 * hostsAndLevels[1] * 30e-6 + 2 * BYTES / 1e9;
      assertThat(Algorithm.TREE.seconds(BYTES, 8 * hostsAndLevels[0], CLUSTER))
          .isCloseTo(inside + between, within(1e-12));
    }
  }

  @Test
  void withOneWorkerAHostTheLinkInsideDoesNotCount() {
    Cluster single = new Cluster(1, new Link("inside", 1, 1000, 1), CLUSTER.between());
    double seconds = 2 * 3 * (30e-6 + BYTES / 4 / 1e9);
    assertThat(Algorithm.RING.seconds(BYTES, 4, single)).isCloseTo(seconds, within(1e-12));
    assertThat(Algorithm.HIERARCHICAL.seconds(BYTES, 4, single)).isCloseTo(seconds, within(1e-12));
  }
}
