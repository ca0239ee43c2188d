package dev.kindling.benchmarks.scaling;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class StepTimesTest {
  private static StepTimes times(long seed) {
    return StepTimes.drawn(Samples.worker(0.05, 0.02), 16, seed);
  }

  @Test
  void aTimeIsAFunctionOfSeedWorkerAndStep() {
    StepTimes one = times(1);
    StepTimes same = times(1);
    same.seconds(15, 99);
    for (int worker = 0; worker < 16; worker++) {
      assertThat(one.seconds(worker, 7)).isEqualTo(same.seconds(worker, 7));
    }
    long equal =
        IntStream.range(0, 16).filter(w -> one.seconds(w, 7) == times(2).seconds(w, 7)).count();
    assertThat(equal).isLessThan(4);
  }

  @Test
  void aDeviationLastsForItsStepsAndIsIndependentAfterwards() {
    StepTimes times = times(Samples.SEED);
    int changes = 0;
    for (int step = 1; step <= 300; step++) {
      changes += times.seconds(3, step) == times.seconds(3, step - 1) ? 0 : 1;
    }
    assertThat(changes).isBetween(99, 100);
  }

  @Test
  void meanAndDeviationAreThoseOfTheWorker() {
    StepTimes times = StepTimes.drawn(Samples.worker(0.05, 0), 1, Samples.SEED);
    double sum = times.seconds(0, 0, 30_000);
    assertThat(sum / 30_000).as("seed " + Samples.SEED).isCloseTo(0.1, within(3 * 0.005 / 100));
    double squares = 0;
    for (int step = 0; step < 30_000; step++) {
      squares += Math.pow(times.seconds(0, step) / 0.1 - 1, 2);
    }
    assertThat(Math.sqrt(squares / 30_000)).isCloseTo(0.05, within(0.002));
  }

  @Test
  void workersAreEqualPartsOfTheirSpread() {
    StepTimes times = StepTimes.drawn(Samples.worker(0, 0.02), 64, 1);
    double mean =
        IntStream.range(0, 64).mapToDouble(w -> times.seconds(w, 0)).average().orElseThrow();
    assertThat(mean).isCloseTo(0.1, within(1e-12));
    assertThat(times.slowest()).isEqualTo(times.seconds(63, 0) / mean, within(1e-12));
    // The largest of 64 equal parts of a normal distribution, quantile 127/128, is 2.418.
    assertThat(times.slowest()).isCloseTo(1 + 2.418 * 0.02, within(0.002));
  }

  @Test
  void givenMeansAreKept() {
    StepTimes times = StepTimes.given(List.of(50.0, 70.0), Samples.worker(0, 0.3), 1);
    assertThat(times.seconds(0, 5)).isEqualTo(0.05);
    assertThat(times.seconds(1, 5)).isEqualTo(0.07);
    assertThat(times.workers()).isEqualTo(2);
  }
}
