package dev.kindling.benchmarks.scaling;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Test;

class ScalingTest {
  private static final Scaling SCALING =
      Scaling.of(
          new Measurements(
              Samples.worker(0, 0),
              new Cluster(8, new Link("inside", 4000, 0, 1), new Link("between", 10, 0, 1)),
              Samples.methods(),
              List.of(),
              List.of()),
          List.of(8, 16),
          List.of(1, 100),
          50,
          Samples.SEED);

  @Test
  void everyMethodIsPlayedOnEveryClusterAndLink() {
    assertThat(SCALING.cells()).hasSize(2 * 2 * 4);
    assertThat(SCALING.cells().get(0).name()).isEqualTo("every_step.8workers.1gbit");
    Outcome slow = outcome("blocking", 16, 1);
    // Two hosts: once the vector over a link of 125 MB/s, and 7/8 of it twice inside at 500 GB/s.
    double reduction = 4e8 / 125e6 + 2 * 7 / 8.0 * 4e8 / 500e9;
    assertThat(12 * slow.exposedSeconds()).isBetween(reduction - 1e-8, reduction + 1e-8);
    assertThat(outcome("blocking", 16, 100).efficiency()).isGreaterThan(slow.efficiency());
  }

  private static Outcome outcome(String method, int workers, int gbit) {
    return SCALING.cells().stream()
        .filter(c -> c.method().equals(method) && c.workers() == workers && c.gbit() == gbit)
        .findFirst()
        .orElseThrow()
        .outcome();
  }

  @Test
  void theTableHasOneRowForOneHost() {
    List<String> rows = SCALING.markdown(8).lines().toList();
    assertThat(rows).hasSize(2 + 4 + 2 * 4);
    assertThat(rows.stream().filter(row -> row.startsWith("| 8 | one host |"))).hasSize(4);
    assertThat(rows)
        .allMatch(row -> row.chars().filter(c -> c == '|').count() == 9)
        .anyMatch(
            row -> row.startsWith("| 16 | 100 | in_flight | hierarchical | 160,000 | 100.0 |"));
  }

  @Test
  void picturesHaveACurveForEachMethod() {
    for (String picture : List.of(SCALING.overWorkers(100), SCALING.overLinks(16))) {
      assertThat(picture.split("<polyline", -1)).hasSize(5);
      assertThat(picture).contains(">streaming</text>").endsWith("</svg>\n");
    }
    assertThat(SCALING.overLinks(16)).contains("Gbit/s between hosts, 16 workers", ">100</text>");
  }
}
