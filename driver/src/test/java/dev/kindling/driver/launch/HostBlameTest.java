package dev.kindling.driver.launch;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import org.junit.jupiter.api.Test;

class HostBlameTest {
  @Test
  void aHostIsBlamedForTwoFailuresWithinTheWindow() {
    HostBlame blame = new HostBlame(2, Duration.ofNanos(100));
    assertThat(blame.failed("a", 0)).isFalse();
    assertThat(blame.failed("b", 1)).isFalse();
    assertThat(blame.failed("a", 100)).as("the first is forgotten").isFalse();
    assertThat(blame.failed("a", 199)).isTrue();
  }

  @Test
  void zeroBlamesNobody() {
    HostBlame blame = new HostBlame(0, Duration.ofNanos(100));
    for (int failure = 0; failure < 10; failure++) {
      assertThat(blame.failed("a", 0)).isFalse();
    }
  }
}
