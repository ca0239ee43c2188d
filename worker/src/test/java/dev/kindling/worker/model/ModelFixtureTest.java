package dev.kindling.worker.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.kindling.kernels.backend.Backend;
import dev.kindling.kernels.backend.CpuOptions;
import dev.kindling.kernels.backend.MatmulKind;
import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.memory.Span;
import dev.kindling.optim.rule.AdamW;
import dev.kindling.worker.checkpoint.SafetensorsFile;
import dev.kindling.worker.checkpoint.TensorEntry;
import dev.kindling.worker.store.LocalStorage;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Logits, loss, all gradients and five updates of small models against transformers with PyTorch
 * (fp32), made by worker/src/test/fixtures/make_fixtures.py.
 */
class ModelFixtureTest {
  private static final Path FOLDER = Path.of("src/test/resources/dev/kindling/worker/model");
  private static final Optional<Integer> NONE = Optional.empty();
  private static final Optional<Integer> VOCABULARY = Optional.of(97);

  static final Map<String, ModelFamily> FAMILIES =
      Map.of(
          "gpt2",
          new Gpt2(32, 2, 4, NONE, VOCABULARY, 32, true, 0.02, 1e-5),
          "llama-tied",
          llama(NONE, true, 10000.0),
          "llama-untied",
          llama(Optional.of(16), false, 500.0));

  private static Llama llama(Optional<Integer> headDim, boolean tied, double theta) {
    return new Llama(
        32,
        2,
        4,
        Optional.of(2),
        headDim,
        Optional.of(64),
        VOCABULARY,
        32,
        tied,
        0.02,
        theta,
        1e-5);
  }

  private static SafetensorsFile open(String name) {
    return SafetensorsFile.open(new LocalStorage(FOLDER), name + ".safetensors");
  }

  private static float[] floats(SafetensorsFile file, String tensor) {
    TensorEntry entry = file.entry(tensor);
    try (Span span = Span.allocate(entry.bytes())) {
      file.read(tensor, span);
      return span.toFloats();
    }
  }

  private static int[] ints(SafetensorsFile file, String tensor) {
    TensorEntry entry = file.entry(tensor);
    try (Span span = Span.allocate(entry.bytes())) {
      file.read(tensor, span);
      int[] values = new int[(int) (entry.bytes() / Integer.BYTES)];
      span.buffer().asIntBuffer().get(values);
      return values;
    }
  }

  private static TrainingBench bench(String name, SafetensorsFile file, MatmulKind matmul) {
    return bench(name, file, matmul, false);
  }

  private static TrainingBench bench(
      String name, SafetensorsFile file, MatmulKind matmul, boolean maskDocuments) {
    ModelFamily family = FAMILIES.get(name);
    TrainingBench bench =
        new TrainingBench(
            family,
            new AdamW(1e-2, 0.9, 0.95, 1e-8, 0.1, 1.0),
            Backend.cpu(new CpuOptions(1, matmul)),
            new TrainingBench.Layout(32, 16, maskDocuments));
    for (Param p : family.parameters()) {
      file.read("weight/" + p.name(), bench.span(p.name()));
    }
    return bench;
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
  @ValueSource(strings = {"gpt2", "llama-tied", "llama-untied"})
  void theFixtureHoldsExactlyTheParametersOfTheFamily(String name) {
    try (SafetensorsFile file = open(name)) {
      List<String> weights =
          file.header().tensors().keySet().stream().filter(t -> t.startsWith("weight/")).toList();
      assertThat(FAMILIES.get(name).parameters().stream().map(p -> "weight/" + p.name()))
          .containsExactlyInAnyOrderElementsOf(weights);
      for (Param p : FAMILIES.get(name).parameters()) {
        assertThat(p.shape().dims().stream().map(Integer::longValue))
            .as(p.name())
            .isEqualTo(file.entry("weight/" + p.name()).dims());
      }
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"gpt2", "llama-tied", "llama-untied"})
  void logitsLossAndAllGradientsEqualThoseOfTransformers(String name) {
    for (MatmulKind matmul : MatmulKind.values()) {
      try (SafetensorsFile file = open(name);
          TrainingBench bench = bench(name, file, matmul)) {
        int[] ids = ints(file, "input_ids");
        assertThat(error(bench.logits(ids), floats(file, "logits"))).isLessThan(1e-4);
        bench.clearGradients();
        bench.accumulate(ids, ints(file, "targets"));
        assertThat(bench.loss()).isCloseTo(floats(file, "loss")[0], within(1e-5f));
        for (Param p : FAMILIES.get(name).parameters()) {
          float[] gradient = bench.span("grad/" + p.name()).toFloats();
          for (int i = 0; i < gradient.length; i++) {
            gradient[i] /= 29; // 32 tokens, 3 of them ignored: the fixture's loss is a mean.
          }
          assertThat(error(gradient, floats(file, "gradient/" + p.name())))
              .as("%s with %s", p.name(), matmul)
              .isLessThan(1e-4);
        }
      }
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"gpt2", "llama-tied", "llama-untied"})
  void fiveUpdatesFollowTheLossesOfTorch(String name) {
    try (SafetensorsFile file = open(name);
        TrainingBench bench = bench(name, file, MatmulKind.JAVA)) {
      float[] expected = floats(file, "losses");
      for (int step = 1; step <= 6; step++) {
        bench.clearGradients();
        bench.accumulate(ints(file, "input_ids"), ints(file, "targets"));
        assertThat(bench.loss())
            .as("before update %d", step)
            .isCloseTo(expected[step - 1], within(2e-4f));
        bench.update(step, 1.0);
      }
      assertThat(expected[5]).isLessThan(expected[0] - 0.5f);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"gpt2", "llama-tied", "llama-untied"})
  void packedDocumentsSeeOnlyThemselves(String name) {
    try (SafetensorsFile file = open(name);
        TrainingBench bench = bench(name, file, MatmulKind.JAVA, true)) {
      bench.documents(List.of(5, 11));
      assertThat(error(bench.logits(ints(file, "input_ids")), floats(file, "packed_logits")))
          .isLessThan(1e-4);
    }
  }
}
