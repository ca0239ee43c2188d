package dev.kindling.kernels.backend.cuda;

import dev.kindling.kernels.backend.Backend;
import dev.kindling.kernels.backend.CudaOptions;
import dev.kindling.kernels.backend.cuda.layout.Precision;
import dev.kindling.kernels.testing.SnapshotRun;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

@Tag("gpu")
class CudaSnapshotTest {
  /**
   * The larger takes some 10 ms to copy, in which a run that did not wait would write all of it.
   */
  @ParameterizedTest
  @CsvSource({"FP32,1003,false", "BF16,67108867,true", "FP32,67108867,false"})
  void laterRunsDoNotShow(Precision precision, int elements, boolean captured) {
    try (Backend backend = Backend.cuda(new CudaOptions(0, precision, captured, false));
        SnapshotRun run = new SnapshotRun(backend, elements)) {
      run.checkThatLaterRunsDoNotShow();
    }
  }
}
