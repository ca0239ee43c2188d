package dev.kindling.kernels.backend.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kindling.kernels.backend.Backend;
import dev.kindling.kernels.backend.CudaOptions;
import dev.kindling.kernels.backend.cuda.layout.Precision;
import dev.kindling.kernels.testing.FlightRun;
import dev.kindling.kernels.testing.ThreadCommunicator;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Several ranks on one GPU, which meet through the host. Between devices: NcclCheck. */
@Tag("gpu")
class CudaFlightTest {
  private static final int ROUNDS = 3;

  /** One piece of a flight with and without a remainder, and several. */
  @ParameterizedTest
  @CsvSource({"1, 1003, false", "2, 1, true", "2, 1003, true", "3, 20000003, true"})
  void averagesWhatLayThereWhenItBegan(int ranks, int elements, boolean captured) {
    List<ThreadCommunicator> world = ThreadCommunicator.create(ranks);
    List<Backend> backends = new ArrayList<>();
    List<FlightRun> runs = new ArrayList<>();
    for (ThreadCommunicator communicator : world) {
      Backend backend = Backend.cuda(new CudaOptions(0, Precision.BF16, captured, false));
      backends.add(backend);
      runs.add(new FlightRun(backend, communicator, elements));
    }
    try {
      for (int round = 0; round < ROUNDS; round++) {
        runs.forEach(FlightRun::depart);
        runs.forEach(FlightRun::arrive);
      }
      runs.forEach(FlightRun::check);
      for (FlightRun run : runs) {
        assertThat(run.flight().exposedNanos()).isNotNegative();
      }
    } finally {
      world.forEach(ThreadCommunicator::close);
      runs.forEach(FlightRun::close);
      backends.forEach(Backend::close);
    }
  }
}
