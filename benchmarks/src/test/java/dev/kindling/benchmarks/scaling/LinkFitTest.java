package dev.kindling.benchmarks.scaling;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.kindling.configs.yaml.ByteSize;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class LinkFitTest {
  private static final Link ASSUMED = new Link("net", 10, 30, 0.5);

  private static AllReducePoint point(int ranks, double gbit, long bytes, double seconds) {
    return new AllReducePoint(
        "net", ranks, gbit, new ByteSize(bytes), 1e3 * seconds, false, "made up");
  }

  private static double ring(int ranks, double gbit, long bytes) {
    return 2.0 * (ranks - 1) * (50e-6 + bytes / (double) ranks / (0.8 * gbit * 1e9 / 8));
  }

  @Test
  void pointsOfAKnownLinkGiveItBack() {
    List<AllReducePoint> points = new ArrayList<>();
    for (int ranks : new int[] {2, 4, 16}) {
      for (double gbit : new double[] {1, 10}) {
        for (long bytes : new long[] {4096, 1 << 20, 1 << 28}) {
          points.add(point(ranks, gbit, bytes, ring(ranks, gbit, bytes)));
        }
      }
    }
    Link fitted = LinkFit.of(ASSUMED, points);
    assertThat(fitted.latencyUs()).isCloseTo(50, within(1e-6));
    assertThat(fitted.share()).isCloseTo(0.8, within(1e-9));
    assertThat(fitted.gbit()).as("the rate is the simulation's").isEqualTo(10);
    assertThat(points).allMatch(each -> Math.abs(each.error(fitted)) < 1e-9);
  }

  @Test
  void oneSizeCannotTellLatencyFromRateSoThatTheAssumedOneStays() {
    Link fitted = LinkFit.of(ASSUMED, List.of(point(4, 10, 1 << 28, ring(4, 10, 1 << 28))));
    assertThat(fitted.latencyUs()).isEqualTo(30);
    assertThat(fitted.share()).isCloseTo(0.8, within(1e-3));
  }

  @Test
  void aSharedMediumCarriesWhatAllRanksSend() {
    // 2 (n - 1) messages of the whole vector at 16 Gbit/s = 2 GB/s: the share reads as Gbit/s.
    List<AllReducePoint> points = new ArrayList<>();
    for (int ranks : new int[] {2, 4}) {
      for (long bytes : new long[] {4000, 64_000_000}) {
        double ms = 1e3 * 2 * (ranks - 1) * (5e-6 + bytes / 2e9);
        points.add(new AllReducePoint("net", ranks, 1, new ByteSize(bytes), ms, true, "made up"));
      }
    }
    Link fitted = LinkFit.of(ASSUMED, points);
    assertThat(fitted.latencyUs()).isCloseTo(5, within(1e-6));
    assertThat(fitted.share()).isCloseTo(16, within(1e-6));
  }

  @Test
  void withoutPointsALinkIsWhatItWas() {
    Link other = new Link("other", 10, 30, 0.5);
    assertThat(LinkFit.of(other, List.of(point(2, 10, 4096, 1)))).isEqualTo(other);
  }

  @Test
  void noiseNeverMakesALatencyNegative() {
    Link fitted =
        LinkFit.of(ASSUMED, List.of(point(2, 10, 1 << 20, 1e-3), point(2, 10, 1 << 28, 0.5)));
    assertThat(fitted.latencyUs()).isZero();
    assertThat(fitted.share()).isPositive();
  }

  @Test
  void timesThatDoNotGrowWithTheBytesAreRefused() {
    assertThatThrownBy(
            () ->
                LinkFit.of(
                    ASSUMED, List.of(point(2, 10, 1 << 10, 1.0), point(2, 10, 1 << 28, 0.9))))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("network net");
  }
}
