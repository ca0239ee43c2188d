package dev.kindling.worker.evaluate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.kindling.kernels.backend.Backend;
import dev.kindling.kernels.backend.CpuOptions;
import dev.kindling.kernels.backend.MatmulKind;
import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.memory.Span;
import dev.kindling.kernels.random.Initialization;
import dev.kindling.worker.model.Llama;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class InputNormsTest {
  private static final int WIDTH = 8;
  private static final int WINDOW = 6;
  private static final Llama MODEL =
      new Llama(
          WIDTH,
          1,
          2,
          Optional.of(1),
          Optional.empty(),
          Optional.of(12),
          Optional.of(11),
          WINDOW,
          false,
          0.4,
          1e4,
          1e-5);

  /** The first map reads rms norms of rows of the table, which are written out here. */
  @Test
  void normsOfTheFirstInputAreThoseOfNormedEmbeddings() {
    int[] stream = {3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8};
    Map<String, float[]> weights = new HashMap<>();
    try (Backend backend = Backend.cpu(new CpuOptions(1, MatmulKind.JAVA));
        InputNorms norms = new InputNorms(MODEL, WINDOW, backend)) {
      for (Param param : norms.params()) {
        Span span = norms.weight(param.name());
        Initialization.fill(param, 5, span);
        weights.put(param.name(), span.toFloats());
        norms.filled(param.name());
      }
      norms.add(stream, 0);
      norms.add(stream, WINDOW);
      Map<String, double[]> found = norms.norms();
      double[] expected = expected(stream, weights);
      double[] q = Objects.requireNonNull(found.get("model.layers.0.self_attn.q_proj"));
      for (int i = 0; i < WIDTH; i++) {
        assertThat(q[i]).isCloseTo(expected[i], within(1e-5 * expected[i]));
      }
      assertThat(found.get("model.layers.0.self_attn.v_proj")).isEqualTo(q);
      assertThat(found.get("model.layers.0.mlp.gate_proj"))
          .isEqualTo(found.get("model.layers.0.mlp.up_proj"))
          .isNotEqualTo(q);
      assertThat(found.get("model.layers.0.mlp.down_proj")).hasSize(12);
      assertThat(found).hasSize(7).doesNotContainKey("lm_head");
      found.values().forEach(each -> assertThat(Arrays.stream(each).allMatch(x -> x > 0)).isTrue());
    }
  }

  private static double[] expected(int[] stream, Map<String, float[]> weights) {
    float[] table = Objects.requireNonNull(weights.get("model.embed_tokens.weight"));
    String norm = "model.layers.0.input_layernorm.weight";
    float[] gain = Objects.requireNonNull(weights.get(norm));
    double[] squares = new double[WIDTH];
    for (int token : stream) {
      double mean = 0;
      for (int i = 0; i < WIDTH; i++) {
        mean += (double) table[token * WIDTH + i] * table[token * WIDTH + i] / WIDTH;
      }
      for (int i = 0; i < WIDTH; i++) {
        double x = table[token * WIDTH + i] / Math.sqrt(mean + 1e-5) * gain[i];
        squares[i] += x * x;
      }
    }
    for (int i = 0; i < WIDTH; i++) {
      squares[i] = Math.sqrt(squares[i]);
    }
    return squares;
  }
}
