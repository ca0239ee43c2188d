package dev.kindling.benchmarks.scaling;

import dev.kindling.configs.yaml.ByteSize;
import dev.kindling.kernels.graph.Expectation;
import java.util.Map;

/**
 * One measured all-reduce, by the ring or by something of the same cost.
 *
 * @param network whose link it went over
 * @param gbit nominal rate of the link; 1 where there is none, so that the fitted share reads as
 *     Gbit/s
 * @param bytes of the vector of one rank
 * @param ms of one call
 * @param shared whether all ranks share one medium, such as the cores of one machine, instead of
 *     having a link each
 * @param source where the figure is written down
 */
public record AllReducePoint(
    String network,
    int ranks,
    double gbit,
    ByteSize bytes,
    double ms,
    boolean shared,
    String source) {
  public AllReducePoint {
    new Expectation()
        .atLeast("ranks", ranks, 2)
        .positive("gbit", gbit)
        .atLeast("bytes", bytes.bytes(), 1)
        .positive("ms", ms)
        .notEmpty("source", source, "where the figure is written down")
        .orThrow();
  }

  public static Map<String, Object> defaults() {
    return Map.of("shared", false);
  }

  /** As in the names of results. */
  public String name() {
    return network + '.' + ranks + "ranks." + bytes;
  }

  /** Messages one behind the other. */
  double hops() {
    return 2.0 * (ranks - 1);
  }

  /** Seconds that the payload takes at the nominal rate. */
  double nominalSeconds() {
    double volume = hops() * bytes.bytes() / (shared ? 1 : ranks);
    return volume / Link.bytesPerSecond(gbit);
  }

  double seconds() {
    return ms / 1e3;
  }

  double predictedSeconds(Link link) {
    return hops() * link.latencySeconds() + nominalSeconds() / link.share();
  }

  /** Of the prediction over what was measured: 0.05 is five percent too slow. */
  public double error(Link link) {
    return predictedSeconds(link) / seconds() - 1;
  }
}
