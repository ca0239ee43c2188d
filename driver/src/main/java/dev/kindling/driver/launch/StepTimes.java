package dev.kindling.driver.launch;

import java.util.Arrays;

/** The last durations of steps. Not thread-safe. */
final class StepTimes {
  private static final int KEPT = 512;
  private static final double RANK = 0.99;

  private final double[] millis = new double[KEPT];
  private long seen;

  void add(double stepMillis) {
    millis[(int) (seen++ % KEPT)] = stepMillis;
  }

  boolean isEmpty() {
    return seen == 0;
  }

  /** The 99th percentile in milliseconds, 0 if there is no step. */
  double p99() {
    int count = (int) Math.min(seen, KEPT);
    if (count == 0) {
      return 0;
    }
    double[] sorted = Arrays.copyOf(millis, count);
    Arrays.sort(sorted);
    return sorted[(int) Math.ceil(RANK * count) - 1];
  }
}
