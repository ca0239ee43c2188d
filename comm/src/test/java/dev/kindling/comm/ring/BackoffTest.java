package dev.kindling.comm.ring;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class BackoffTest {
  private static final long MILLI = 1_000_000;

  @Test
  void pausesDoubleFromTenToTwoHundredMilliseconds() {
    Backoff backoff = new Backoff();
    long now = -5;
    assertThat(backoff.mayAsk(now)).isTrue();
    for (long pause : new long[] {10, 20, 40, 80, 160, 200, 200}) {
      assertThat(backoff.refused(now)).isEqualTo(pause == 10);
      assertThat(backoff.mayAsk(now + pause * MILLI - 1)).isFalse();
      now += pause * MILLI;
      assertThat(backoff.mayAsk(now)).isTrue();
    }
  }
}
