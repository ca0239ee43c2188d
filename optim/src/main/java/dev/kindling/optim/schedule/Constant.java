package dev.kindling.optim.schedule;

import java.util.Map;

/** Warm-up, then the full learning rate to the end. */
public record Constant(long warmupSteps) implements Schedule {
  public Constant {
    Schedule.check(warmupSteps, 1.0);
  }

  public static Map<String, Object> defaults() {
    return Map.of("warmupSteps", 0L);
  }

  @Override
  public double factor(long step, long totalSteps) {
    return Schedule.decayed(step, Math.max(totalSteps, step), warmupSteps, 1.0, progress -> 1.0);
  }
}
