package dev.kindling.worker.step;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.kindling.kernels.backend.Backend;
import dev.kindling.kernels.backend.CpuOptions;
import dev.kindling.kernels.backend.CudaOptions;
import dev.kindling.kernels.backend.MatmulKind;
import dev.kindling.kernels.backend.cuda.layout.Precision;
import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.graph.RopeScaling;
import dev.kindling.worker.model.Gpt2;
import dev.kindling.worker.model.Llama;
import dev.kindling.worker.model.Mistral;
import dev.kindling.worker.model.ModelFamily;
import dev.kindling.worker.model.Qwen3;
import dev.kindling.worker.shard.Held;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Whole steps on the GPU, against the CPU backend in fp32 and against themselves. */
@Tag("gpu")
class CudaStepTest {
  private static final int STEPS = 20;
  private static final Optional<Integer> ROWS = Optional.of(DeviceRank.VOCABULARY);

  /** A model with a name for the report. */
  record Line(String name, ModelFamily model, boolean maskDocuments) {
    @Override
    public String toString() {
      return name;
    }

    DeviceRank onGpu(boolean captured) {
      CudaOptions options = new CudaOptions(0, Precision.BF16, captured, false);
      return new DeviceRank(model, maskDocuments, Backend.cuda(options));
    }

    DeviceRank onCpu() {
      int threads = Math.min(8, Runtime.getRuntime().availableProcessors());
      Backend cpu = Backend.cpu(new CpuOptions(threads, MatmulKind.JAVA));
      return new DeviceRank(model, maskDocuments, cpu);
    }
  }

  static List<Line> lines() {
    return List.of(
        new Line("GPT-2", gpt2(Optional.empty()), false),
        new Line("GPT-2, odd MLP, documents", gpt2(Optional.of(1003)), true),
        new Line("Llama, grouped heads of 64, odd MLP", llama(4, 64, 701), false),
        new Line("Llama, grouped heads of 128, documents", llama(2, 128, 704), true),
        new Line("Mistral, a window of 50", mistral(), false),
        new Line("Qwen3, a norm of each head, stretched, documents", qwen3(), true));
  }

  private static ModelFamily mistral() {
    return new Mistral(
        256,
        2,
        4,
        Optional.of(2),
        Optional.of(64),
        Optional.of(704),
        ROWS,
        DeviceRank.SEQUENCE,
        false,
        0.02,
        1e4,
        Optional.empty(),
        1e-5,
        Optional.of(50));
  }

  private static ModelFamily qwen3() {
    return new Qwen3(
        256,
        2,
        4,
        Optional.of(2),
        Optional.of(128),
        Optional.of(704),
        ROWS,
        DeviceRank.SEQUENCE,
        true,
        0.02,
        1e4,
        Optional.of(new RopeScaling.Llama3(8, 1, 4, 64)),
        1e-6,
        Optional.empty());
  }

  private static ModelFamily gpt2(Optional<Integer> mlp) {
    return new Gpt2(256, 2, 4, mlp, ROWS, DeviceRank.SEQUENCE, true, 0.02, 1e-5);
  }

  private static ModelFamily llama(int heads, int headDim, int mlp) {
    return new Llama(
        256,
        2,
        heads,
        Optional.of(heads / 2),
        Optional.of(headDim),
        Optional.of(mlp),
        ROWS,
        DeviceRank.SEQUENCE,
        false,
        0.02,
        1e4,
        1e-5);
  }

  @ParameterizedTest
  @MethodSource("lines")
  void aCapturedStepHasTheBitsOfAnEagerOne(Line line) {
    try (DeviceRank captured = line.onGpu(true);
        DeviceRank eager = line.onGpu(false)) {
      assertThat(captured.train(STEPS)).isEqualTo(eager.train(STEPS));
      expectSameBits(captured, eager);
    }
  }

  @ParameterizedTest
  @MethodSource("lines")
  void aSecondRunHasTheSameBits(Line line) {
    try (DeviceRank first = line.onGpu(true);
        DeviceRank second = line.onGpu(true)) {
      assertThat(first.train(STEPS)).isEqualTo(second.train(STEPS));
      expectSameBits(first, second);
    }
  }

  private static void expectSameBits(DeviceRank one, DeviceRank other) {
    for (Param param : one.program().params()) {
      assertThat(one.content(param.name())).as(param.name()).isEqualTo(other.content(param.name()));
    }
    for (Held state : one.program().state()) {
      assertThat(one.content(state.name())).as(state.name()).isEqualTo(other.content(state.name()));
    }
  }

  @ParameterizedTest
  @MethodSource("lines")
  void lossesAreThoseOfTheCpu(Line line) {
    try (DeviceRank gpu = line.onGpu(true);
        DeviceRank cpu = line.onCpu()) {
      double[] expected = cpu.train(STEPS);
      double[] found = gpu.train(STEPS);
      double worst = 0;
      for (int i = 0; i < STEPS; i++) {
        worst = Math.max(worst, Math.abs(found[i] / expected[i] - 1));
      }
      assertThat(expected[STEPS - 1]).as("it learns").isLessThan(expected[0]);
      assertThat(worst).as("largest relative difference").isLessThan(1e-3);
    }
  }

  @ParameterizedTest
  @MethodSource("lines")
  void gradientsPointWhereThoseOfTheCpuDo(Line line) {
    try (DeviceRank gpu = line.onGpu(true);
        DeviceRank cpu = line.onCpu()) {
      for (DeviceRank rank : List.of(gpu, cpu)) {
        rank.write(0);
        rank.program().accumulate();
      }
      for (Param param : gpu.program().params()) {
        float[] found = gpu.content("grad/" + param.name());
        float[] expected = cpu.content("grad/" + param.name());
        assertThat(cosine(found, expected)).as(param.name()).isGreaterThan(0.999);
        double ratio = Math.sqrt(dot(found, found) / dot(expected, expected));
        assertThat(ratio).as(param.name() + " length").isCloseTo(1, within(1e-2));
      }
    }
  }

  private static double cosine(float[] a, float[] b) {
    return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
  }

  private static double dot(float[] a, float[] b) {
    double sum = 0;
    for (int i = 0; i < a.length; i++) {
      sum += (double) a[i] * b[i];
    }
    return sum;
  }
}
