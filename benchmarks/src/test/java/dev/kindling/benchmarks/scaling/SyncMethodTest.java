package dev.kindling.benchmarks.scaling;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.List;
import org.junit.jupiter.api.Test;

/** What holds for every method. */
class SyncMethodTest {
  private static final Worker STEADY = Samples.worker(0, 0);
  private static final Worker UNSTEADY = Samples.worker(0.05, 0.02);

  @Test
  void withoutJitterAndOverInfiniteLinksThroughputIsLinear() {
    Samples.methods()
        .forEach(
            (name, method) -> {
              for (int workers : new int[] {1, 8, 128}) {
                Outcome outcome =
                    Samples.outcome(
                        method, STEADY, Samples.cost(workers, Double.POSITIVE_INFINITY));
                assertThat(outcome.tokensPerSecond())
                    .as(name)
                    .isCloseTo(workers * 10_000.0, within(1e-6));
                assertThat(outcome.efficiency()).as(name).isCloseTo(1, within(1e-9));
                assertThat(outcome.exposedSeconds()).as(name).isCloseTo(0, within(1e-12));
                assertThat(outcome.straggledSeconds()).as(name).isCloseTo(0, within(1e-12));
              }
            });
  }

  private static final double[] RATES = {1, 2, 5, 10, 25, 80, 100, 200, 400, 800};

  @Test
  void overAFasterLinkNothingEndsLater() {
    Samples.methods()
        .forEach(
            (name, method) -> {
              double before = Double.POSITIVE_INFINITY;
              for (double gbit : RATES) {
                StepTimes times = StepTimes.drawn(UNSTEADY, 16, Samples.SEED);
                Timeline timeline = new Timeline(times, Samples.cost(16, gbit), UNSTEADY);
                SyncMethod.Rounds rounds = method.begin(timeline);
                for (int i = 0; i < 10; i++) {
                  rounds.next();
                }
                assertThat(timeline.last())
                    .as(name + " at " + gbit)
                    .isLessThanOrEqualTo(before * (1 + 1e-12));
                before = timeline.last();
              }
            });
  }

  @Test
  void overAFasterLinkThroughputGrowsAndLessIsExposed() {
    Worker spread = Samples.worker(0, 0.02);
    Samples.methods()
        .forEach(
            (name, method) -> {
              Outcome before = Samples.outcome(method, spread, Samples.cost(16, 0.5));
              for (double gbit : RATES) {
                Outcome outcome = Samples.outcome(method, spread, Samples.cost(16, gbit));
                assertThat(outcome.tokensPerSecond())
                    .as(name + " at " + gbit)
                    .isGreaterThanOrEqualTo(before.tokensPerSecond() * (1 - 1e-12));
                assertThat(outcome.exposedSeconds())
                    .as(name + " at " + gbit)
                    .isLessThanOrEqualTo(before.exposedSeconds() + 1e-12);
                before = outcome;
              }
              Outcome slow = Samples.outcome(method, spread, Samples.cost(16, 0.5));
              assertThat(before.tokensPerSecond())
                  .as(name + " gains")
                  .isGreaterThan(2 * slow.tokensPerSecond());
            });
  }

  @Test
  void theSameSeedGivesTheSameNumbers() {
    Samples.methods()
        .forEach(
            (name, method) -> {
              Outcome one = Samples.outcome(method, UNSTEADY, Samples.cost(16, 10));
              assertThat(Samples.outcome(method, UNSTEADY, Samples.cost(16, 10)))
                  .as(name)
                  .isEqualTo(one);
              StepTimes other = StepTimes.drawn(UNSTEADY, 16, Samples.SEED + 1);
              Timeline.Pace pace = method.play(other, Samples.cost(16, 10), UNSTEADY, 200);
              assertThat(pace.stepSeconds()).as(name).isNotEqualTo(one.stepSeconds());
            });
  }

  @Test
  void inTheLongRunAllArePacedByTheSlowestWorker() {
    Worker spread = Samples.worker(0, 0.02);
    double slowest = StepTimes.drawn(spread, 16, Samples.SEED).slowest();
    Samples.methods()
        .forEach(
            (name, method) -> {
              Outcome outcome =
                  Samples.outcome(method, spread, Samples.cost(16, Double.POSITIVE_INFINITY));
              assertThat(outcome.stepSeconds())
                  .as(name)
                  .isCloseTo(Samples.STEP * slowest, within(1e-9));
              // The mean worker waits for what it is faster than the slowest.
              assertThat(outcome.straggledSeconds())
                  .as(name)
                  .isCloseTo(Samples.STEP * (slowest - 1), within(2e-4));
            });
  }

  @Test
  void slackAbsorbsJitterThatBlockingPaysFor() {
    Worker jittery = Samples.worker(0.1, 0);
    AllReduceCost free = Samples.cost(64, Double.POSITIVE_INFINITY);
    Outcome blocking = Samples.outcome(new Blocking(12, 4), jittery, free);
    Outcome inFlight = Samples.outcome(new InFlight(12, 4), jittery, free);
    Outcome everyStep = Samples.outcome(Samples.methods().get("every_step"), jittery, free);
    assertThat(List.of(everyStep, blocking, inFlight))
        .isSortedAccordingTo((a, b) -> Double.compare(a.efficiency(), b.efficiency()));
    assertThat(inFlight.efficiency()).isGreaterThan(blocking.efficiency() + 0.02);
  }
}
