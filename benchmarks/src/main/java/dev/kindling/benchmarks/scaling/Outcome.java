package dev.kindling.benchmarks.scaling;

/**
 * What a simulation found, once its pipeline was full.
 *
 * @param tokensPerSecond of all workers
 * @param efficiency that over what as many mean workers do, each for itself
 * @param stepSeconds a step with its part of all that comes between steps
 * @param exposedSeconds by how much a step is longer than over a network that takes no time; 0
 *     where jitter at the ends of what is counted would make it less
 * @param straggledSeconds that a worker would wait for slower ones over such a network, mean of a
 *     step
 */
public record Outcome(
    double tokensPerSecond,
    double efficiency,
    double stepSeconds,
    double exposedSeconds,
    double straggledSeconds) {

  /** With the same step times both over this network and over one that takes no time. */
  static Outcome of(Worker worker, int workers, Timeline.Pace pace, Timeline.Pace withoutNetwork) {
    return new Outcome(
        worker.tokens() * workers / pace.stepSeconds(),
        worker.stepSeconds() / pace.stepSeconds(),
        pace.stepSeconds(),
        Math.max(0, pace.stepSeconds() - withoutNetwork.stepSeconds()),
        withoutNetwork.waitedSeconds());
  }
}
