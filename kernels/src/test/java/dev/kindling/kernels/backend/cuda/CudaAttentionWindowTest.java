package dev.kindling.kernels.backend.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kindling.kernels.backend.Backend;
import dev.kindling.kernels.backend.CudaOptions;
import dev.kindling.kernels.backend.cuda.layout.Precision;
import dev.kindling.kernels.graph.AttentionShape;
import dev.kindling.kernels.testing.PlainAttention;
import java.util.Arrays;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What a window hides; its numbers are lines of {@link CudaAttentionTest}. */
@Tag("gpu")
class CudaAttentionWindowTest {
  private static final int SEQUENCE = 640;

  /** A key that is multiplied with anything leaves its NaN there, also under a mask. */
  @ParameterizedTest
  @ValueSource(ints = {8, 64, 80, 128, 256})
  void wholeBlocksBeforeTheWindowAreNotRead(int headDim) {
    AttentionShape shape = new AttentionShape(2, 1, headDim, SEQUENCE, 64);
    AttentionInputs inputs = AttentionInputs.random(shape, 1, false, false);
    try (Backend backend = Backend.cuda(new CudaOptions(0, Precision.BF16, true, false));
        AttentionRun run = new AttentionRun(backend, shape, 1, false)) {
      PlainAttention.Result clean = inputs.on(run);
      Arrays.fill(inputs.k(), 0, 256 * headDim, Double.NaN);
      Arrays.fill(inputs.v(), 0, 256 * headDim, Double.NaN);
      PlainAttention.Result found = inputs.on(run);
      assertThat(found.o()[300 * 2 * headDim]).isNaN();
      expectSame("o", found.o(), clean.o());
      expectSame("dq", found.dq(), clean.dq());
      expectSame("dk", found.dk(), clean.dk());
      expectSame("dv", found.dv(), clean.dv());
    }
  }

  private static void expectSame(String what, double[] found, double[] expected) {
    int from = expected.length / SEQUENCE * 384;
    assertThat(Arrays.copyOfRange(found, from, found.length))
        .as(what)
        .isEqualTo(Arrays.copyOfRange(expected, from, expected.length));
  }

  @ParameterizedTest
  @ValueSource(ints = {8, 64, 80, 128, 256})
  void aWindowOfTheWholeSequenceHidesNothing(int headDim) {
    AttentionShape all = new AttentionShape(2, 1, headDim, SEQUENCE);
    AttentionShape wide = new AttentionShape(2, 1, headDim, SEQUENCE, SEQUENCE);
    AttentionInputs inputs = AttentionInputs.random(all, 1, false, false);
    try (Backend backend = Backend.cuda(new CudaOptions(0, Precision.BF16, true, false));
        AttentionRun one = new AttentionRun(backend, all, 1, false);
        AttentionRun other = new AttentionRun(backend, wide, 1, false)) {
      assertThat(inputs.on(other).o()).isEqualTo(inputs.on(one).o());
      assertThat(inputs.on(other).dk()).isEqualTo(inputs.on(one).dk());
    }
  }
}
