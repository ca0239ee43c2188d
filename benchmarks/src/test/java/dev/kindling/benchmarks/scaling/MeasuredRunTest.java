package dev.kindling.benchmarks.scaling;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.kindling.configs.yaml.ByteSize;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class MeasuredRunTest {
  private static final Cluster CLUSTER =
      new Cluster(1, new Link("inside", 4000, 0, 1), new Link("between", 10, 0, 1));

  private static MeasuredRun run(List<Double> alone, Optional<Double> gbit) {
    EveryStep sync = new EveryStep(2, new ByteSize(1L << 40));
    return new MeasuredRun("run", sync, 2, alone, gbit, 130, "made up");
  }

  @Test
  void aStepIsThatOfTheSlowerWorkerAndItsReduction() {
    Worker worker = Samples.worker(0, 0);
    double between = run(List.of(100.0, 120.0), Optional.of(40.0)).predictedMs(worker, CLUSTER, 1);
    assertThat(between).isCloseTo(120 + 1e3 * 2e8 / 5e9, within(1e-6));
    double inside = run(List.of(100.0, 120.0), Optional.empty()).predictedMs(worker, CLUSTER, 1);
    assertThat(inside).as("4000 Gbit/s").isCloseTo(120 + 1e3 * 2e8 / 500e9, within(1e-6));
  }

  @Test
  void oneTimeStandsForAllWorkers() {
    double ms = run(List.of(90.0), Optional.empty()).predictedMs(Samples.worker(0, 0), CLUSTER, 1);
    assertThat(ms).isCloseTo(90.4, within(1e-6));
  }

  @Test
  void timesAreOneOrOneForEachWorker() {
    assertThatThrownBy(() -> run(List.of(1.0, 2.0, 3.0), Optional.empty()))
        .hasMessageContaining("alone_ms: expected one number or one for each of 2 workers");
  }
}
