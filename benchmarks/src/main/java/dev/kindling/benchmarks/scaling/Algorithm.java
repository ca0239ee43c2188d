package dev.kindling.benchmarks.scaling;

/** How an all-reduce goes over hosts. */
public enum Algorithm {
  /** One ring through all workers; each link between hosts carries what one worker sends. */
  RING,
  /** Reduce-scatter inside every host, a ring over hosts, all-gather inside. */
  HIERARCHICAL,
  /**
   * The same with two binary trees over hosts, each of half the vector, as NCCL has them: few hops,
   * a little more payload than a ring.
   */
  TREE;

  double seconds(double bytes, int workers, Cluster cluster) {
    int perHost = Math.min(workers, cluster.workersPerHost());
    int hosts = workers / perHost;
    Link inside = cluster.inside();
    Link between = cluster.between();
    if (hosts == 1) {
      return ring(bytes, workers, inside.latencySeconds(), inside.bytesPerSecond());
    }
    if (this == RING) {
      boolean alone = perHost == 1;
      double latency = Math.max(alone ? 0 : inside.latencySeconds(), between.latencySeconds());
      double slowest =
          Math.min(
              alone ? Double.POSITIVE_INFINITY : inside.bytesPerSecond(), between.bytesPerSecond());
      return ring(bytes, workers, latency, slowest);
    }
    double local = ring(bytes, perHost, inside.latencySeconds(), inside.bytesPerSecond());
    return local + overHosts(bytes, hosts, between);
  }

  private double overHosts(double bytes, int hosts, Link link) {
    if (this == HIERARCHICAL) {
      return ring(bytes, hosts, link.latencySeconds(), link.bytesPerSecond());
    }
    int levels = 32 - Integer.numberOfLeadingZeros(hosts - 1);
    return 2 * levels * link.latencySeconds() + 2 * bytes / link.bytesPerSecond();
  }

  private static double ring(double bytes, int ranks, double latency, double bytesPerSecond) {
    return 2.0 * (ranks - 1) * (latency + bytes / ranks / bytesPerSecond);
  }
}
