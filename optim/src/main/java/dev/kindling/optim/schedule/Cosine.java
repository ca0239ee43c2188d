package dev.kindling.optim.schedule;

import java.util.Map;

/**
 * Warm-up, then half a cosine down to {@code minRatio} of the learning rate.
 *
 * <p>After Loshchilov and Hutter 2017 (1608.03983), equation 5 without restarts. {@link StrictMath}
 * because the factor reaches the weights: the same bits on every machine.
 */
public record Cosine(long warmupSteps, double minRatio) implements Schedule {
  public Cosine {
    Schedule.check(warmupSteps, minRatio);
  }

  public static Map<String, Object> defaults() {
    return Map.of("warmupSteps", 0L, "minRatio", 0.1);
  }

  @Override
  public double factor(long step, long totalSteps) {
    return Schedule.decayed(
        step,
        totalSteps,
        warmupSteps,
        minRatio,
        progress -> 0.5 * (1.0 + StrictMath.cos(StrictMath.PI * progress)));
  }
}
