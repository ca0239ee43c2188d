package dev.kindling.benchmarks.scaling;

import dev.kindling.kernels.graph.Expectation;

/**
 * How workers are joined.
 *
 * @param workersPerHost that share the one link of their host to the others
 * @param inside between workers of a host, one each
 * @param between of a host to the others; its rate is what a simulation varies
 */
public record Cluster(int workersPerHost, Link inside, Link between) {
  public Cluster {
    new Expectation().atLeast("workers_per_host", workersPerHost, 1).orThrow();
  }

  Cluster between(double gbit) {
    return new Cluster(workersPerHost, inside, between.at(gbit));
  }

  Cluster perHost(int workers) {
    return new Cluster(workers, inside, between);
  }
}
