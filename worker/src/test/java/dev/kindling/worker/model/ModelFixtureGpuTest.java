package dev.kindling.worker.model;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kindling.kernels.backend.Backend;
import dev.kindling.kernels.backend.CudaOptions;
import dev.kindling.kernels.backend.cuda.layout.Precision;
import dev.kindling.kernels.graph.Param;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Small models of transformers in bf16 on the GPU, against its fp32 run. The measure is the error
 * of its own bf16 run of the same weights, which the fixture holds.
 */
@Tag("gpu")
class ModelFixtureGpuTest {
  static List<String> names() {
    return ModelFixture.names();
  }

  private static TrainingBench bench(ModelFixture fixture) {
    return fixture.bench(Backend.cuda(new CudaOptions(0, Precision.BF16, true, false)), false);
  }

  @ParameterizedTest
  @MethodSource("names")
  void logitsAreNoFurtherOffThanTwiceTransformersOwnBf16(String name) {
    try (ModelFixture fixture = ModelFixture.open(name);
        TrainingBench bench = bench(fixture)) {
      float[] expected = fixture.floats("logits");
      float[] found = bench.logits(fixture.ints("input_ids"));
      double difference = 0;
      double largest = 0;
      for (int i = 0; i < expected.length; i++) {
        difference = Math.max(difference, Math.abs(found[i] - expected[i]));
        largest = Math.max(largest, Math.abs(expected[i]));
      }
      assertThat(difference / largest).isLessThanOrEqualTo(2 * fixture.floats("bf16_error")[0]);
    }
  }

  @ParameterizedTest
  @MethodSource("names")
  void gradientsAreNoFurtherOffThanTwiceTransformersOwnBf16(String name) {
    try (ModelFixture fixture = ModelFixture.open(name);
        TrainingBench bench = bench(fixture)) {
      bench.clearGradients();
      bench.accumulate(fixture.ints("input_ids"), fixture.ints("targets"));
      double difference = 0;
      double norm = 0;
      for (Param p : fixture.family().parameters()) {
        float[] expected = fixture.floats("gradient/" + p.name());
        float[] found = fixture.meanGradient(bench, p.name());
        for (int i = 0; i < expected.length; i++) {
          difference += Math.pow(found[i] - expected[i], 2);
          norm += Math.pow(expected[i], 2);
        }
      }
      assertThat(Math.sqrt(difference / norm))
          .isLessThanOrEqualTo(2 * fixture.floats("bf16_error")[1]);
    }
  }
}
