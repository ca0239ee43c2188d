package dev.kindling.optim.schedule;

import java.util.Map;

/** Warm-up, then a straight line down to {@code minRatio} of the learning rate. */
public record Linear(long warmupSteps, double minRatio) implements Schedule {
  public Linear {
    Schedule.check(warmupSteps, minRatio);
  }

  public static Map<String, Object> defaults() {
    return Map.of("warmupSteps", 0L, "minRatio", 0.0);
  }

  @Override
  public double factor(long step, long totalSteps) {
    return Schedule.decayed(step, totalSteps, warmupSteps, minRatio, progress -> 1.0 - progress);
  }
}
