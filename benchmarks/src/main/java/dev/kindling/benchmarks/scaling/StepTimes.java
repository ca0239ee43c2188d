package dev.kindling.benchmarks.scaling;

import java.util.Arrays;
import java.util.List;

/**
 * How long every step of every worker computes. A time is a function of seed, worker and step
 * alone, so all methods, links and orders of asking see the same stragglers, and what differs
 * between two simulations is what they were asked about.
 */
public final class StepTimes {
  private static final int TABLE = 1 << 16;

  private final double[] means;
  private final double[] jitter;
  private final int jitterSteps;
  private final long seed;

  private StepTimes(double[] means, Worker worker, long seed) {
    this.means = means;
    this.jitter = NormalQuantiles.factors(TABLE, worker.jitter());
    this.jitterSteps = worker.jitterSteps();
    this.seed = seed;
  }

  /**
   * Workers whose means are equal parts of the distribution: no luck of a draw, their mean is that
   * of the measured one.
   */
  public static StepTimes drawn(Worker worker, int workers, long seed) {
    double[] means = NormalQuantiles.factors(workers, worker.spread());
    for (int i = 0; i < workers; i++) {
      means[i] *= worker.stepSeconds();
    }
    return new StepTimes(means, worker, seed);
  }

  /** Workers of known means. */
  static StepTimes given(List<Double> stepMs, Worker worker, long seed) {
    return new StepTimes(stepMs.stream().mapToDouble(ms -> ms / 1e3).toArray(), worker, seed);
  }

  int workers() {
    return means.length;
  }

  /** The slowest worker's mean over the mean of all. */
  double slowest() {
    return Arrays.stream(means).max().orElseThrow() / Arrays.stream(means).average().orElseThrow();
  }

  double seconds(int worker, long step) {
    // Workers do not change their pace in the same step.
    long block = (step + worker * 7919L % jitterSteps) / jitterSteps;
    return means[worker] * jitter[(int) (mixed(seed, worker, block) >>> 48)];
  }

  double seconds(int worker, long from, int steps) {
    double sum = 0;
    for (long step = from; step < from + steps; step++) {
      sum += seconds(worker, step);
    }
    return sum;
  }

  /** SplitMix64 (Steele, Lea and Flood 2014) over a counter. */
  private static long mixed(long seed, int worker, long block) {
    long z = seed + 0x9e3779b97f4a7c15L * (((long) worker << 40) + block + 1);
    z = (z ^ (z >>> 30)) * 0xbf58476d1ce4e5b9L;
    z = (z ^ (z >>> 27)) * 0x94d049bb133111ebL;
    return z ^ (z >>> 31);
  }
}
