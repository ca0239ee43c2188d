package dev.kindling.worker.evaluate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.kindling.kernels.backend.Backend;
import dev.kindling.kernels.backend.CpuOptions;
import dev.kindling.kernels.backend.MatmulKind;
import dev.kindling.kernels.backend.cuda.CudaBytes;
import dev.kindling.kernels.backend.cuda.layout.Precision;
import dev.kindling.kernels.graph.Graph;
import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.memory.Span;
import dev.kindling.kernels.random.Philox;
import dev.kindling.worker.model.Gpt2;
import dev.kindling.worker.model.Llama;
import dev.kindling.worker.model.ModelFamily;
import dev.kindling.worker.plan.Device;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Losses in bf16 on the GPU against fp32 on the CPU. */
class ScorerGpuTest {
  private static final long SEED = Long.getLong("seed", 20261128L);
  private static final int CONTEXT = 80;
  private static final CpuOptions CPU = new CpuOptions(1, MatmulKind.JAVA);

  /** Nats of a token, in the mean of a text. */
  private static final double ROUNDING = 0.03;

  static List<ModelFamily> families() {
    Optional<Integer> none = Optional.empty();
    Optional<Integer> rows = Optional.of(101);
    return List.of(
        new Gpt2(128, 2, 2, none, rows, 96, true, 0.02, 1e-5),
        new Llama(
            64, 2, 4, Optional.of(2), Optional.of(64), none, rows, 96, false, 0.02, 10000, 1e-5));
  }

  private static Scorer filled(ModelFamily family, Backend backend) {
    Scorer scorer = new Scorer(family, CONTEXT, backend);
    for (Param param : scorer.params()) {
      boolean vector = param.shape().rank() == 1;
      Span weight = scorer.weight(param.name());
      for (long i = 0; i < param.shape().elements(); i++) {
        double normal = Philox.normal(SEED + param.name().hashCode(), i);
        weight.putFloat(i, (float) (vector ? 1 + 0.1 * normal : 0.1 * normal));
      }
      scorer.filled(param.name());
    }
    return scorer;
  }

  private static int[] text(int length) {
    return new SplittableRandom(SEED).ints(length, 0, 101).toArray();
  }

  /** What the test below allows is far less than reading something else before a text costs. */
  @ParameterizedTest
  @MethodSource("families")
  void theBoundTellsAnotherPromptFromRounding(ModelFamily family) {
    int[] text = text(60);
    int[] other = new int[40];
    Arrays.fill(other, 5);
    try (Backend cpu = Backend.cpu(CPU);
        Scorer scorer = filled(family, cpu)) {
      int[] rest = Arrays.copyOfRange(text, 40, 60);
      double right = scorer.continuation(Arrays.copyOf(text, 40), rest).mean();
      assertThat(Math.abs(scorer.continuation(other, rest).mean() - right))
          .as("seed %d", SEED)
          .isGreaterThan(3 * ROUNDING);
    }
  }

  /** Without a GPU: every node has a kernel that takes its operands as they are stored. */
  @ParameterizedTest
  @MethodSource("families")
  void theGpuHasAPlanForLosses(ModelFamily family) {
    Graph graph = new ScoringWindow(family, CONTEXT).graph();
    CudaBytes bytes =
        CudaBytes.of(
            graph.variables(), List.of(graph), Precision.BF16, CudaBytes.H100_MULTIPROCESSORS);
    assertThat(bytes.total()).isGreaterThan(bytes.copies()).isPositive();
  }

  @Tag("gpu")
  @ParameterizedTest
  @MethodSource("families")
  void lossesAreThoseOfTheCpu(ModelFamily family) {
    try (Backend cpu = Backend.cpu(CPU);
        Backend gpu = Device.CUDA.open(CPU, 0, false, line -> {});
        Scorer exact = filled(family, cpu);
        Scorer found = filled(family, gpu)) {
      for (int length : new int[] {17, 33, 34, 65, 66, CONTEXT + 1, 200}) {
        int[] text = text(length);
        assertSame(found.window(text, 0), exact.window(text, 0), length);
        assertThat(found.window(text, 0)).isEqualTo(found.window(text, 0));
      }
      int[] prompt = text(70);
      int[] rest = Arrays.copyOfRange(text(90), 70, 90);
      assertSame(found.continuation(prompt, rest), exact.continuation(prompt, rest), 90);
      assertThat(found.window(prompt, 0, place -> false)).isEqualTo(Loss.NONE);
    }
  }

  private static void assertSame(Loss found, Loss expected, int length) {
    assertThat(found.tokens()).isEqualTo(expected.tokens());
    assertThat(found.mean())
        .as("%d tokens, seed %d", length, SEED)
        .isEqualTo(expected.mean(), within(ROUNDING));
  }
}
