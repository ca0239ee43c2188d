package dev.kindling.worker.generate;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kindling.kernels.backend.cpu.CpuBackend;
import dev.kindling.kernels.graph.Graph;
import dev.kindling.kernels.graph.op.Linear;
import dev.kindling.worker.model.Gpt2;
import dev.kindling.worker.model.Llama;
import dev.kindling.worker.model.ModelFamily;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class WindowTest {
  private static final int LENGTH = 256;
  private static final int VOCABULARY = 50_000;

  static List<ModelFamily> families() {
    Optional<Integer> none = Optional.empty();
    Optional<Integer> rows = Optional.of(VOCABULARY);
    return List.of(
        new Gpt2(16, 1, 2, none, rows, LENGTH, true, 0.02, 1e-5),
        new Gpt2(16, 1, 2, none, rows, LENGTH, false, 0.02, 1e-5),
        new Llama(16, 1, 2, none, none, none, rows, LENGTH, true, 0.02, 10000, 1e-5),
        new Llama(16, 1, 2, none, none, none, rows, LENGTH, false, 0.02, 10000, 1e-5));
  }

  /** Logits of all places would be 51 MB. */
  @ParameterizedTest
  @MethodSource("families")
  void theHeadSeesTheLastTokenAlone(ModelFamily family) {
    Graph graph = new Window(family, LENGTH, 1, LENGTH).graph();
    assertThat(
            graph.nodes().stream()
                .filter(node -> node.op() instanceof Linear)
                .map(node -> node.output(0).shape())
                .filter(shape -> shape.dim(1) == VOCABULARY))
        .singleElement()
        .satisfies(shape -> assertThat(shape.dim(0)).isEqualTo(1));
    long variables =
        graph.variables().stream().mapToLong(variable -> variable.type().bytes()).sum();
    assertThat(CpuBackend.planned(graph.variables(), List.of(graph)) - variables)
        .isLessThan(1L << 20);
  }
}
