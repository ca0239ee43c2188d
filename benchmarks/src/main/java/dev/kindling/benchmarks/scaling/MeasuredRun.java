package dev.kindling.benchmarks.scaling;

import dev.kindling.kernels.graph.Expectation;
import java.util.List;
import java.util.Optional;

/**
 * A measured step of several workers together, and what each took for itself.
 *
 * @param aloneMs mean step of each worker alone, in order; with one number all are drawn around it
 * @param gbit rate between hosts; empty if all are on one
 * @param ms mean step together
 * @param source where the figures are written down
 */
public record MeasuredRun(
    String name,
    SyncMethod sync,
    int workers,
    List<Double> aloneMs,
    Optional<Double> gbit,
    double ms,
    String source) {
  private static final int STEPS = 2000;

  public MeasuredRun {
    aloneMs = List.copyOf(aloneMs);
    new Expectation()
        .atLeast("workers", workers, 1)
        .that(
            aloneMs.size() == workers || aloneMs.size() == 1,
            "alone_ms",
            "one number or one for each of " + workers + " workers",
            aloneMs)
        .positive("ms", ms)
        .notEmpty("source", source, "where the figures are written down")
        .orThrow();
  }

  /** Mean step by simulation, in milliseconds. */
  public double predictedMs(Worker worker, Cluster fitted, long seed) {
    Worker own =
        new Worker(
            worker.name(),
            worker.parameters(),
            worker.tokens(),
            aloneMs.get(0),
            worker.backward(),
            worker.update(),
            worker.jitter(),
            worker.jitterSteps(),
            worker.spread(),
            worker.outerMs());
    StepTimes times =
        aloneMs.size() == workers
            ? StepTimes.given(aloneMs, own, seed)
            : StepTimes.drawn(own, workers, seed);
    Cluster cluster = gbit.map(fitted::between).orElseGet(() -> fitted.perHost(workers));
    AllReduceCost cost = new AllReduceCost(workers, cluster);
    return sync.play(times, cost, own, STEPS).stepSeconds() * 1e3;
  }
}
