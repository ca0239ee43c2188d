package dev.kindling.worker.loop;

import dev.kindling.worker.plan.GuardSpec;
import java.util.Locale;
import java.util.Map;

/**
 * Looks for spikes: steps in a row in which both the logarithm of the loss and the gradient norm
 * lie far above their running means (after the automatic form of what was done by hand for PaLM,
 * Chowdhery et al. 2022, 2204.02311, section 5.1). Works on what a step tells every rank alike, so
 * all ranks decide alike; its numbers are part of a checkpoint, so a resumed run does too.
 */
final class SpikeGuard {
  private static final String LOSS = "spike.log_loss";
  private static final String GRAD_NORM = "spike.grad_norm";
  private static final String STREAK = "spike.streak";

  private final GuardSpec spec;
  private final RobustMean logLoss;
  private final RobustMean gradNorm;

  /** Steps that were finite. */
  private long seen;

  /** Spiking steps in a row, and the first of them. */
  private int streak;

  private long firstStep;
  private double lossZ;
  private double gradNormZ;

  private SpikeGuard(GuardSpec spec, RobustMean logLoss, RobustMean gradNorm) {
    this.spec = spec;
    this.logLoss = logLoss;
    this.gradNorm = gradNorm;
  }

  /** Of a run that has made no step. */
  static SpikeGuard begin(GuardSpec spec) {
    return new SpikeGuard(spec, new RobustMean(), new RobustMean());
  }

  /** Goes on from what {@link #putInto} left; a checkpoint without it begins anew. */
  static SpikeGuard restore(GuardSpec spec, Map<String, String> guards) {
    String streak = guards.get(STREAK);
    if (streak == null) {
      return begin(spec);
    }
    SpikeGuard guard =
        new SpikeGuard(
            spec,
            RobustMean.decode(guards.getOrDefault(LOSS, "")),
            RobustMean.decode(guards.getOrDefault(GRAD_NORM, "")));
    String[] words = streak.split(" ", -1);
    guard.seen = Long.parseLong(words[0]);
    guard.streak = Integer.parseInt(words[1]);
    guard.firstStep = Long.parseLong(words[2]);
    return guard;
  }

  void putInto(Map<String, String> guards) {
    if (spec.spikeZ() > 0) {
      guards.put(LOSS, logLoss.encode());
      guards.put(GRAD_NORM, gradNorm.encode());
      guards.put(STREAK, seen + " " + streak + " " + firstStep);
    }
  }

  /**
   * Hears of a step in which nothing was skipped; allocates nothing.
   *
   * @return whether it completes a spike
   */
  boolean observe(long step, float loss, float norm) {
    if (spec.spikeZ() == 0) {
      return false;
    }
    // A loss of 0 has no logarithm and is no spike.
    double log = StrictMath.log(Math.max(loss, Float.MIN_NORMAL));
    lossZ = logLoss.z(log);
    gradNormZ = gradNorm.z(norm);
    boolean high = lossZ > spec.spikeZ() && gradNormZ > spec.spikeZ();
    if (high && seen >= spec.warmupSteps()) {
      firstStep = streak == 0 ? step : firstStep;
      streak++;
    } else {
      streak = 0;
    }
    logLoss.add(log);
    gradNorm.add(norm);
    seen++;
    return streak == spec.spikeSteps();
  }

  /** First step of the spike that {@link #observe} found. */
  long firstStep() {
    return firstStep;
  }

  /** The last step in words. */
  String describe(float loss, float norm) {
    return String.format(
        Locale.ROOT,
        "loss %.4f (z %.1f), gradient norm %.4f (z %.1f)",
        loss,
        lossZ,
        norm,
        gradNormZ);
  }
}
