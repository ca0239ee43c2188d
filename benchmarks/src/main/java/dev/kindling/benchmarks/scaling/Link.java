package dev.kindling.benchmarks.scaling;

import dev.kindling.kernels.graph.Expectation;

/**
 * A link as a ring sees it: a message of some bytes takes {@code latency + bytes / (share rate)}.
 *
 * @param network name that measured points go by; a link of no measured network is an assumption
 * @param gbit nominal rate each way
 * @param latencyUs from one worker to the next, software included
 * @param share of the nominal rate that payload reaches
 */
public record Link(String network, double gbit, double latencyUs, double share) {
  public Link {
    new Expectation()
        .that(gbit > 0, "gbit", "a number above 0", gbit)
        .notNegative("latency_us", latencyUs)
        .positive("share", share)
        .orThrow();
  }

  Link at(double rate) {
    return new Link(network, rate, latencyUs, share);
  }

  double latencySeconds() {
    return latencyUs / 1e6;
  }

  double bytesPerSecond() {
    return bytesPerSecond(gbit) * share;
  }

  static double bytesPerSecond(double gbit) {
    return gbit * 1e9 / 8;
  }
}
