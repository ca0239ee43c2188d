package dev.kindling.worker.step;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kindling.kernels.backend.Backend;
import dev.kindling.kernels.backend.CpuOptions;
import dev.kindling.kernels.backend.MatmulKind;
import dev.kindling.kernels.backend.Memory;
import dev.kindling.kernels.graph.Demand;
import dev.kindling.kernels.graph.GraphBuilder;
import dev.kindling.kernels.graph.Init;
import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.graph.Shape;
import dev.kindling.kernels.memory.Span;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class MaskThresholdTest {
  /** More than one piece is read; no multiple of one. */
  private static final int ELEMENTS = (1 << 18) + 12_345;

  private static final Param PARAM =
      new Param("w", Shape.of(ELEMENTS), Demand.whole(), Init.normal(1), false);

  /** Half of them with few bits, so that many share a bucket or are equal. */
  private static float[] values() {
    Random random = new Random(20261128);
    float[] values = new float[ELEMENTS];
    for (int i = 0; i < ELEMENTS; i++) {
      float value = (float) random.nextGaussian();
      values[i] = i % 2 == 0 ? value : Math.round(value * 8) / 8f;
    }
    return values;
  }

  @ParameterizedTest
  @ValueSource(doubles = {1e-9, 0.01, 0.2, 0.5, 0.75, 0.999, 1})
  void itIsTheElementOfThatRankAmongTheMagnitudes(double share) {
    float[] values = values();
    GraphBuilder b = new GraphBuilder();
    b.param(PARAM);
    try (Backend backend = Backend.cpu(new CpuOptions(1, MatmulKind.JAVA));
        Memory memory = backend.allocate(b.build().variables())) {
      Span span = memory.span("w");
      float[] sorted = new float[ELEMENTS];
      for (int i = 0; i < ELEMENTS; i++) {
        span.putFloat(i, values[i]);
        sorted[i] = Math.abs(values[i]);
      }
      memory.publish("w");
      memory.release("w");
      Arrays.sort(sorted);
      int rank = (int) Math.max(1, Math.round(share * ELEMENTS));
      assertThat(MaskThreshold.of(memory, PARAM, share)).isEqualTo(sorted[rank - 1]);
    }
  }
}
