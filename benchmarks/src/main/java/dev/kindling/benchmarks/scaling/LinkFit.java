package dev.kindling.benchmarks.scaling;

import java.util.List;

/**
 * Latency and share of a link by least squares of relative errors, so that a message of 4 KiB
 * counts as much as one of 256 MiB.
 */
final class LinkFit {
  /** Below this the points cannot tell latency from rate: all of one size. */
  private static final double INDEPENDENT = 1e-6;

  private LinkFit() {}

  /**
   * The link itself if its network has no point; with its own latency if the points cannot tell it.
   */
  static Link of(Link link, List<AllReducePoint> all) {
    List<AllReducePoint> points =
        all.stream().filter(point -> point.network().equals(link.network())).toList();
    return points.isEmpty() ? link : fitted(link, points);
  }

  private static Link fitted(Link link, List<AllReducePoint> points) {
    double hh = 0;
    double hv = 0;
    double vv = 0;
    double h = 0;
    double v = 0;
    for (AllReducePoint point : points) {
      double hops = point.hops() / point.seconds();
      double volume = point.nominalSeconds() / point.seconds();
      hh += hops * hops;
      hv += hops * volume;
      vv += volume * volume;
      h += hops;
      v += volume;
    }
    double determinant = hh * vv - hv * hv;
    double latency =
        determinant > INDEPENDENT * hh * vv ? (h * vv - v * hv) / determinant : Double.NaN;
    if (Double.isNaN(latency)) {
      latency = link.latencySeconds();
    }
    latency = Math.max(0, latency);
    double inverseShare = (v - latency * hv) / vv;
    if (!(inverseShare > 0)) {
      throw new IllegalArgumentException(
          "all_reduces of network "
              + link.network()
              + ": expected times that grow with the bytes, found "
              + points);
    }
    return new Link(link.network(), link.gbit(), latency * 1e6, 1 / inverseShare);
  }
}
