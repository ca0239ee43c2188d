package dev.kindling.benchmarks.scaling;

import dev.kindling.kernels.graph.Expectation;
import java.util.Map;

/**
 * Streaming DiLoCo: every {@code tau / fragments} steps the displacement of one fragment of the
 * parameters leaves, and {@code delay} steps later its mean is applied; who comes there before it
 * waits.
 *
 * @param delay steps, at most those between two fragments
 * @param bytes of a displacement on the wire, each: 0.5 for 4 bits
 */
public record Streaming(int tau, int fragments, int delay, double bytes) implements SyncMethod {
  public Streaming {
    new Expectation()
        .atLeast("fragments", fragments, 1)
        .that(
            fragments >= 1 && tau >= 1 && tau % fragments == 0,
            "tau",
            "a multiple of fragments " + fragments,
            tau)
        .that(
            fragments >= 1 && delay >= 0 && delay <= tau / fragments,
            "delay",
            "0 to tau / fragments",
            delay)
        .positive("bytes", bytes)
        .orThrow();
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
    return delay;
  }

  @Override
  public Rounds begin(Timeline timeline) {
    double parameters = (double) timeline.worker().parameters() / fragments;
    double seconds = timeline.reduceSeconds(parameters, bytes);
    return new Rounds() {
      private double done;

      @Override
      public void next() {
        for (int fragment = 0; fragment < fragments; fragment++) {
          timeline.compute(delay);
          timeline.await(done);
          timeline.computeOuter(1.0 / fragments);
          timeline.compute(tau / fragments - delay);
          done = timeline.last() + seconds;
        }
      }
    };
  }
}
