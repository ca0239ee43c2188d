package dev.kindling.benchmarks.scaling;

/** When workers exchange what, and who waits for it. */
public sealed interface SyncMethod permits EveryStep, Blocking, InFlight, Streaming {
  /** Rounds of a warm-up at most: workers that differ less than this many can show stay apart. */
  int WARM_UP_MAX = 500;

  /** Steps of a round. */
  int round();

  /** Steps that a fast worker can be ahead of the slowest before it waits. */
  int slack();

  /** Workers at the start, all at time 0. */
  Rounds begin(Timeline timeline);

  /** A method under way. */
  interface Rounds {
    /** Lets all workers do one round. */
    void next();
  }

  /** Plays at least so many steps, and at least four rounds, behind the warm-up. */
  default Timeline.Pace play(StepTimes times, AllReduceCost cost, Worker worker, int steps) {
    Timeline timeline = new Timeline(times, cost, worker);
    Rounds rounds = begin(timeline);
    for (int i = 0; i < warmUp(times); i++) {
      rounds.next();
    }
    timeline.mark();
    int counted = Math.max(4, (steps + round() - 1) / round());
    for (int i = 0; i < counted; i++) {
      rounds.next();
    }
    return timeline.pace();
  }

  /**
   * Rounds until a run is as in its middle. A mean worker uses its slack up by what the slowest
   * lags behind it in every step; before that a method with slack looks as if it had no slowest
   * worker. Twice that, for those that lag too, but less.
   */
  private int warmUp(StepTimes times) {
    double lag = times.slowest() - 1;
    double rounds = lag > 0 ? 2 * slack() / (lag * round()) : 0;
    return 2 + (int) Math.min(WARM_UP_MAX, Math.ceil(rounds));
  }
}
