package dev.kindling.driver.launch;

import java.time.Duration;

/**
 * From when on a rank that makes no progress is reported, and replaced.
 *
 * @param stall reported after this or three times the 99th percentile of steps, what is longer
 * @param hang replaced after this or three times the 99th percentile of steps, what is longer
 */
record HangLimits(Duration stall, Duration hang) {
  /** Promised are 10 s: beats, their way and our look at them take up to one. */
  private static final Duration STALL = Duration.ofSeconds(9);

  private static final double SLOW_STEPS = 3;

  static HangLimits of(Duration hangTimeout) {
    return new HangLimits(STALL, hangTimeout);
  }

  long stallMillis(double p99) {
    return (long) Math.max(stall.toMillis(), SLOW_STEPS * p99);
  }

  long hangMillis(double p99) {
    return (long) Math.max(hang.toMillis(), SLOW_STEPS * p99);
  }
}
