package dev.kindling.benchmarks.scaling;

import dev.kindling.kernels.graph.Expectation;
import java.util.Objects;
import java.util.Set;

/**
 * What an all-reduce over some workers takes from the moment at which the last one has come.
 *
 * @param workers all on one host, or whole hosts
 * @param algorithms of which the fastest is taken for every size
 */
public record AllReduceCost(int workers, Cluster cluster, Set<Algorithm> algorithms) {
  public AllReduceCost {
    algorithms = Set.copyOf(algorithms);
    int perHost = cluster.workersPerHost();
    new Expectation()
        .atLeast("workers", workers, 1)
        .that(
            workers <= perHost || workers % perHost == 0,
            "workers",
            "at most " + perHost + " or a multiple of it (whole hosts)",
            workers)
        .that(!algorithms.isEmpty(), "algorithms", "at least one", algorithms)
        .orThrow();
  }

  public AllReduceCost(int workers, Cluster cluster) {
    this(workers, cluster, Set.of(Algorithm.values()));
  }

  /** The same over a network that takes no time. */
  AllReduceCost withoutTime() {
    Link free = new Link("", Double.POSITIVE_INFINITY, 0, 1);
    return new AllReduceCost(
        workers, new Cluster(cluster.workersPerHost(), free, free), algorithms);
  }

  double seconds(double bytes) {
    return fastest(bytes).seconds(bytes, workers, cluster);
  }

  /** Of two that are as fast the simpler. */
  Algorithm fastest(double bytes) {
    Algorithm best = null;
    for (Algorithm each : Algorithm.values()) {
      boolean better =
          best == null
              || each.seconds(bytes, workers, cluster) < best.seconds(bytes, workers, cluster);
      best = algorithms.contains(each) && better ? each : best;
    }
    return Objects.requireNonNull(best);
  }
}
