package dev.kindling.benchmarks.scaling;

import dev.kindling.kernels.graph.Expectation;
import java.util.Map;

/**
 * Local SGD, SlowMo, DiLoCo: every {@code tau} steps all wait for the slowest, and for the mean of
 * their displacements.
 *
 * @param bytes of a displacement on the wire, each
 */
public record Blocking(int tau, double bytes) implements SyncMethod {
  public Blocking {
    new Expectation().atLeast("tau", tau, 1).positive("bytes", bytes).orThrow();
  }

  public static Map<String, Object> defaults() {
    return Map.of("bytes", 4.0);
  }

  @Override
  public int round() {
    return tau;
  }

  @Override
  public int slack() {
    return 0;
  }

  @Override
  public Rounds begin(Timeline timeline) {
    double seconds = timeline.reduceSeconds(timeline.worker().parameters(), bytes);
    return () -> {
      timeline.compute(tau);
      timeline.await(timeline.last() + seconds);
      timeline.computeOuter(1);
    };
  }
}
