package dev.kindling.driver.launch;

import java.util.HashSet;
import java.util.Map;
import java.util.Set;

/** The executors of a Spark application that may take a rank. Thread-safe. */
final class ExecutorPool {
  /** What the pool needs of Spark. */
  interface Cluster {
    /** Host of each executor that is registered now, by executor id. */
    Map<String, String> executors();

    /**
     * Has an executor killed by whoever started it, and another started somewhere.
     *
     * @return false if nobody does that, as in local mode
     */
    boolean killAndReplace(String executor);
  }

  private final Cluster cluster;
  private final Set<String> condemned = new HashSet<>();
  private final Set<String> excluded = new HashSet<>();

  ExecutorPool(Cluster cluster) {
    this.cluster = cluster;
  }

  /**
   * How many there are. Those that came up on an excluded host are sent back, in the hope of a
   * better one.
   */
  synchronized int present() {
    int present = 0;
    for (Map.Entry<String, String> executor : cluster.executors().entrySet()) {
      if (excluded.contains(executor.getValue())) {
        replace(executor.getKey());
      }
      present += condemned.contains(executor.getKey()) ? 0 : 1;
    }
    return present;
  }

  /**
   * Gives an executor up. A stopped JVM would keep its slot, its GPU and the wish to go on until
   * Spark misses its heartbeats, which takes two minutes; standalone kills it within 10 s.
   *
   * @return whether it is being killed because of this call
   */
  synchronized boolean replace(String executor) {
    return condemned.add(executor) && cluster.killAndReplace(executor);
  }

  /**
   * Gives no rank to a host any more.
   *
   * @return false if there is no other host
   */
  synchronized boolean exclude(String host) {
    boolean others =
        cluster.executors().values().stream()
            .anyMatch(other -> !other.equals(host) && !excluded.contains(other));
    return others && excluded.add(host);
  }

  /** Takes all excluded hosts back; returns them. */
  synchronized Set<String> readmit() {
    Set<String> hosts = Set.copyOf(excluded);
    excluded.clear();
    return hosts;
  }
}
