package dev.kindling.benchmarks;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import org.junit.jupiter.api.Test;

class GpuMezoRankTest {
  @Test
  void bytesSentAreTheNinthFigureOfTheLoopback() {
    List<String> lines =
        List.of(
            "Inter-|   Receive                            |  Transmit",
            " face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets",
            "  eth0: 7 1 0 0 0 0 0 0 8 1 0 0 0 0 0 0",
            "    lo:11234567 42 0 0 0 0 0 0 98765 42 0 0 0 0 0 0");
    assertThat(GpuMezoRank.loopbackBytes(lines)).isEqualTo(98765);
  }

  @Test
  void aMachineWithoutLoopbackIsNamed() {
    assertThatThrownBy(() -> GpuMezoRank.loopbackBytes(List.of("  eth0: 7 1 0 0 0 0 0 0 8 1")))
        .hasMessageContaining("expected a line of lo");
  }
}
