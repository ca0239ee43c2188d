package dev.kindling.worker.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.kindling.kernels.backend.Backend;
import dev.kindling.kernels.backend.CpuOptions;
import dev.kindling.kernels.backend.MatmulKind;
import dev.kindling.kernels.graph.Param;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Logits, loss, all gradients and five updates of small models against transformers with PyTorch
 * (fp32).
 */
class ModelFixtureTest {
  static List<String> names() {
    return ModelFixture.names();
  }

  private static TrainingBench bench(
      ModelFixture fixture, MatmulKind matmul, boolean maskDocuments) {
    return fixture.bench(Backend.cpu(new CpuOptions(1, matmul)), maskDocuments);
  }

  /** Largest difference relative to the largest expected magnitude. */
  private static double error(float[] found, float[] expected) {
    assertThat(found).hasSameSizeAs(expected);
    double largest = 0;
    double difference = 0;
    for (int i = 0; i < found.length; i++) {
      largest = Math.max(largest, Math.abs(expected[i]));
      difference = Math.max(difference, Math.abs(found[i] - expected[i]));
    }
    return difference / largest;
  }

  @ParameterizedTest
  @MethodSource("names")
  void theFixtureHoldsExactlyTheParametersOfTheFamily(String name) {
    try (ModelFixture fixture = ModelFixture.open(name)) {
      List<Param> parameters = fixture.family().parameters();
      List<String> weights =
          fixture.file().header().tensors().keySet().stream()
              .filter(t -> t.startsWith("weight/"))
              .toList();
      assertThat(parameters.stream().map(p -> "weight/" + p.name()))
          .containsExactlyInAnyOrderElementsOf(weights);
      for (Param p : parameters) {
        assertThat(p.shape().dims().stream().map(Integer::longValue))
            .as(p.name())
            .isEqualTo(fixture.file().entry("weight/" + p.name()).dims());
      }
    }
  }

  @ParameterizedTest
  @MethodSource("names")
  void logitsLossAndAllGradientsEqualThoseOfTransformers(String name) {
    for (MatmulKind matmul : MatmulKind.values()) {
      try (ModelFixture fixture = ModelFixture.open(name);
          TrainingBench bench = bench(fixture, matmul, false)) {
        int[] ids = fixture.ints("input_ids");
        assertThat(error(bench.logits(ids), fixture.floats("logits"))).isLessThan(1e-4);
        bench.clearGradients();
        bench.accumulate(ids, fixture.ints("targets"));
        assertThat(bench.loss()).isCloseTo(fixture.floats("loss")[0], within(1e-5f));
        for (Param p : fixture.family().parameters()) {
          float[] expected = fixture.floats("gradient/" + p.name());
          assertThat(error(fixture.meanGradient(bench, p.name()), expected))
              .as("%s with %s", p.name(), matmul)
              .isLessThan(1e-4);
        }
      }
    }
  }

  @ParameterizedTest
  @MethodSource("names")
  void fiveUpdatesFollowTheLossesOfTorch(String name) {
    try (ModelFixture fixture = ModelFixture.open(name);
        TrainingBench bench = bench(fixture, MatmulKind.JAVA, false)) {
      float[] expected = fixture.floats("losses");
      for (int step = 1; step <= 6; step++) {
        bench.clearGradients();
        bench.accumulate(fixture.ints("input_ids"), fixture.ints("targets"));
        assertThat(bench.loss())
            .as("before update %d", step)
            .isCloseTo(expected[step - 1], within(2e-4f));
        bench.update(step, 1.0);
      }
      assertThat(expected[5]).isLessThan(expected[0] - 0.5f);
    }
  }

  @ParameterizedTest
  @MethodSource("names")
  void packedDocumentsSeeOnlyThemselves(String name) {
    try (ModelFixture fixture = ModelFixture.open(name);
        TrainingBench bench = bench(fixture, MatmulKind.JAVA, true)) {
      bench.documents(List.of(5, 11));
      float[] found = bench.logits(fixture.ints("input_ids"));
      assertThat(error(found, fixture.floats("packed_logits"))).isLessThan(1e-4);
    }
  }
}
