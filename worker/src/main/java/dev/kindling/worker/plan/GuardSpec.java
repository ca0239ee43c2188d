package dev.kindling.worker.plan;

import dev.kindling.kernels.graph.Expectation;
import java.util.Map;

/**
 * What a run watches itself for. A step with a non-finite loss or gradient is always skipped.
 *
 * @param hashEverySteps steps between comparisons of what several ranks hold alike (weights,
 *     optimizer state; also before each checkpoint), 0 = never
 * @param spikeZ deviations above its running mean from which a loss, and in the same step a
 *     gradient norm, is a spike; 0 = spikes are not looked for
 * @param spikeSteps spiking steps in a row after which the run goes back before the first of them
 *     and leaves their batches out
 * @param warmupSteps first steps of a run, from which the guard learns and in which nothing spikes
 * @param rollbacks after which one more ends the run
 */
public record GuardSpec(
    long hashEverySteps, double spikeZ, int spikeSteps, int warmupSteps, int rollbacks) {
  public GuardSpec {
    new Expectation()
        .atLeast("hash_every_steps", hashEverySteps, 0)
        .notNegative("spike_z", spikeZ)
        .atLeast("spike_steps", spikeSteps, 1)
        .atLeast("warmup_steps", warmupSteps, 2)
        .atLeast("rollbacks", rollbacks, 0)
        .orThrow();
  }

  public static Map<String, Object> defaults() {
    return Map.of(
        "hashEverySteps", 100L, "spikeZ", 6.0, "spikeSteps", 3, "warmupSteps", 100, "rollbacks", 3);
  }
}
