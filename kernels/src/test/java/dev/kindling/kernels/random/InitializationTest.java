package dev.kindling.kernels.random;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kindling.kernels.graph.Demand;
import dev.kindling.kernels.graph.Init;
import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.graph.Shape;
import dev.kindling.kernels.memory.Span;
import java.util.Arrays;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class InitializationTest {
  private static final Param MATRIX =
      new Param("w", Shape.of(3, 7), Demand.whole(), Init.normal(0.02), true);

  private static float[] filled(Param param, long from, int elements) {
    try (Span span = Span.allocate(4L * elements)) {
      Initialization.fill(param, 11, from, span);
      return span.toFloats();
    }
  }

  /** Normal numbers come in pairs: a run may begin or end in the middle of one. */
  @ParameterizedTest
  @CsvSource({"0, 21", "0, 1", "1, 1", "1, 4", "2, 5", "7, 7", "20, 1"})
  void aRunHasTheElementsOfTheWhole(int from, int elements) {
    float[] whole = filled(MATRIX, 0, 21);
    assertThat(Arrays.stream(box(whole)).distinct().count()).isEqualTo(21);
    assertThat(filled(MATRIX, from, elements))
        .isEqualTo(Arrays.copyOfRange(whole, from, from + elements));
  }

  private static Float[] box(float[] values) {
    Float[] boxed = new Float[values.length];
    Arrays.setAll(boxed, i -> values[i]);
    return boxed;
  }

  @ParameterizedTest
  @ValueSource(ints = {-1, 12})
  void aRunOutsideIsRefused(int from) {
    assertThatThrownBy(() -> filled(MATRIX, from, 10))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("w: expected a run inside [3, 7], found 10 from " + from);
  }
}
