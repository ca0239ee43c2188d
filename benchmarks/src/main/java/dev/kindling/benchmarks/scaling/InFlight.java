package dev.kindling.benchmarks.scaling;

import dev.kindling.kernels.graph.Expectation;
import java.util.Map;

/**
 * CO2, eager DiLoCo, corrected overlap: at a boundary a worker waits for the reduction of the round
 * before, hands over its displacement and goes on, so one reduction is in flight under {@code tau}
 * steps. It begins when the last worker has handed over.
 *
 * @param bytes of a displacement on the wire, each
 */
public record InFlight(int tau, double bytes) implements SyncMethod {
  public InFlight {
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
    return tau;
  }

  @Override
  public Rounds begin(Timeline timeline) {
    double seconds = timeline.reduceSeconds(timeline.worker().parameters(), bytes);
    return new Rounds() {
      private double done;

      @Override
      public void next() {
        timeline.compute(tau);
        timeline.await(done);
        done = timeline.last() + seconds;
        timeline.computeOuter(1);
      }
    };
  }
}
