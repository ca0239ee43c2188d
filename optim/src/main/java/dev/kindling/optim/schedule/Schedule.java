package dev.kindling.optim.schedule;

/**
 * A learning rate schedule as a pure function of the step number.
 *
 * <p>Steps count from 1. All schedules start with a linear warm-up: step {@code s <= W} has the
 * factor {@code s / W}, so that the first step already moves the weights and step W runs at the
 * full rate. After the warm-up the progress of step s of S is {@code p = (s - 1 - W) / (S - W)}:
 * step W + 1 still runs at the full rate and the last step lies one notch above the minimum, so a
 * schedule that falls to zero wastes no step. Steps beyond S have the minimum.
 */
public sealed interface Schedule permits Constant, Linear, Cosine {

  /** Length of the warm-up W in steps, 0 for none. */
  long warmupSteps();

  /**
   * The factor of the learning rate, in [0, 1]; 0 only beyond S with a minimum of 0.
   *
   * @param step the number of the step, from 1
   * @param totalSteps the number of steps S of the whole run
   */
  double factor(long step, long totalSteps);

  /** Warm-up, then {@code minRatio + (1 - minRatio) * shape}. */
  static double decayed(
      long step, long totalSteps, long warmupSteps, double minRatio, DecayShape shape) {
    if (step < 1) {
      throw new IllegalArgumentException("steps count from 1, found " + step);
    }
    if (step <= warmupSteps) {
      return (double) step / warmupSteps;
    }
    if (step > totalSteps) {
      return minRatio;
    }
    double progress = (double) (step - 1 - warmupSteps) / (totalSteps - warmupSteps);
    return minRatio + (1.0 - minRatio) * shape.at(progress);
  }

  /** The decay from 1 at progress 0 to 0 at progress 1. */
  @FunctionalInterface
  interface DecayShape {
    double at(double progress);
  }

  /** Throws with one line per component out of range. */
  static void check(long warmupSteps, double minRatio) {
    StringBuilder errors = new StringBuilder();
    if (warmupSteps < 0) {
      errors.append("warmup_steps: expected 0 or more, found ").append(warmupSteps).append('\n');
    }
    if (!(minRatio >= 0.0 && minRatio <= 1.0)) {
      errors.append("min_ratio: expected a number in [0, 1], found ").append(minRatio).append('\n');
    }
    if (!errors.isEmpty()) {
      throw new IllegalArgumentException(errors.toString().strip());
    }
  }
}
