package dev.kindling.benchmarks.scaling;

/** The clocks of all workers, event by event: a worker computes, then may wait for a collective. */
final class Timeline {
  private final StepTimes times;
  private final AllReduceCost cost;
  private final Worker worker;
  private final double[] clock;
  private double waited;
  private double begin;
  private long steps;
  private long marked;

  Timeline(StepTimes times, AllReduceCost cost, Worker worker) {
    this.times = times;
    this.cost = cost;
    this.worker = worker;
    this.clock = new double[times.workers()];
  }

  Worker worker() {
    return worker;
  }

  int workers() {
    return clock.length;
  }

  double clock(int rank) {
    return clock[rank];
  }

  double stepSeconds(int rank) {
    return times.seconds(rank, steps);
  }

  /** Of one reduction of so many bytes for each of a count of parameters. */
  double reduceSeconds(double parameters, double bytes) {
    return workers() == 1 ? 0 : cost.seconds(parameters * bytes);
  }

  void compute(int rank, double seconds) {
    clock[rank] += seconds;
  }

  /** All workers, so many steps. */
  void compute(int count) {
    for (int rank = 0; rank < clock.length; rank++) {
      compute(rank, times.seconds(rank, steps, count));
    }
    steps += count;
  }

  /** All workers, a share of an outer step. */
  void computeOuter(double share) {
    for (int rank = 0; rank < clock.length; rank++) {
      compute(rank, worker.outerSeconds() * share);
    }
  }

  void countStep() {
    steps++;
  }

  /** When the last worker comes to where it is now. */
  double last() {
    double last = 0;
    for (double each : clock) {
      last = Math.max(last, each);
    }
    return last;
  }

  /** All workers wait for a collective that is through at this time. */
  void await(double done) {
    for (int rank = 0; rank < clock.length; rank++) {
      double wait = Math.max(0, done - clock[rank]);
      waited += wait;
      clock[rank] += wait;
    }
  }

  /** From here on counts; what came before filled the pipeline. */
  void mark() {
    waited = 0;
    begin = last();
    marked = steps;
  }

  Pace pace() {
    long counted = steps - marked;
    return new Pace((last() - begin) / counted, waited / counted / clock.length);
  }

  /**
   * Means of a step.
   *
   * @param stepSeconds by the clock of the slowest worker, with a step's part of all that comes
   *     between steps
   * @param waitedSeconds for collectives, mean of all workers
   */
  record Pace(double stepSeconds, double waitedSeconds) {}
}
