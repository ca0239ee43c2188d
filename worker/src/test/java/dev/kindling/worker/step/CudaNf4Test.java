package dev.kindling.worker.step;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kindling.kernels.backend.Backend;
import dev.kindling.kernels.backend.CpuOptions;
import dev.kindling.kernels.backend.CudaOptions;
import dev.kindling.kernels.backend.MatmulKind;
import dev.kindling.kernels.backend.cuda.layout.Precision;
import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.graph.Variable;
import dev.kindling.worker.adapt.Adapter;
import dev.kindling.worker.adapt.Base;
import dev.kindling.worker.adapt.Lora;
import dev.kindling.worker.adapt.Paca;
import dev.kindling.worker.model.Llama;
import dev.kindling.worker.model.Nf4Weight;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.assertj.core.data.Percentage;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Steps with adapters over a base of 4 bits, on GPU and CPU. */
@Tag("gpu")
class CudaNf4Test {
  private static final int STEPS = 20;

  /** An MLP width with a block and a word that are cut. */
  private static Llama model() {
    return new Llama(
        256,
        2,
        4,
        Optional.of(2),
        Optional.of(64),
        Optional.of(701),
        Optional.of(DeviceRank.VOCABULARY),
        DeviceRank.SEQUENCE,
        false,
        0.02,
        1e4,
        1e-5);
  }

  static List<Adapter> adapters() {
    List<String> all = List.of("all-linear");
    Optional<String> nowhere = Optional.empty();
    return List.of(
        new Lora(8, 16, false, 0, all, List.of(), Map.of(), Map.of(), List.of(), nowhere)
            .over(Base.NF4),
        new Paca(16, 32, all, List.of(), Map.of(), List.of(), Base.NF4));
  }

  private static DeviceRank rank(Adapter adapter, Backend backend) {
    return new DeviceRank(model(), adapter.projection(model(), 7), backend);
  }

  private static Backend gpu(boolean captured) {
    return Backend.cuda(new CudaOptions(0, Precision.BF16, captured, false));
  }

  private static Backend cpu() {
    int threads = Math.min(8, Runtime.getRuntime().availableProcessors());
    return Backend.cpu(new CpuOptions(threads, MatmulKind.JAVA));
  }

  @ParameterizedTest
  @MethodSource("adapters")
  void aCapturedStepHasTheBitsOfAnEagerOneAndTheBaseKeepsItsOwn(Adapter adapter) {
    try (DeviceRank captured = rank(adapter, gpu(true));
        DeviceRank eager = rank(adapter, gpu(false))) {
      List<String> packed =
          captured.program().projection().packed().stream()
              .map(Nf4Weight::variables)
              .flatMap(List::stream)
              .map(Variable::name)
              .toList();
      long[] before = captured.program().memory().hashes(packed);
      assertThat(captured.train(STEPS)).isEqualTo(eager.train(STEPS));
      for (Param param : captured.program().params()) {
        assertThat(captured.content(param.name())).isEqualTo(eager.content(param.name()));
      }
      assertThat(captured.program().memory().hashes(packed)).isEqualTo(before);
    }
  }

  /** Each step from the weights of the CPU: over 20 steps of their own bf16 leads elsewhere. */
  @ParameterizedTest
  @MethodSource("adapters")
  void lossesAndGradientsAreThoseOfTheCpu(Adapter adapter) {
    try (DeviceRank gpu = rank(adapter, gpu(true));
        DeviceRank cpu = rank(adapter, cpu())) {
      float first = Float.NaN;
      float last = Float.NaN;
      for (int step = 0; step < STEPS; step++) {
        gpu.take(cpu);
        StepOutcome expected = cpu.step();
        StepOutcome found = gpu.step();
        assertThat(found.loss()).as("loss %d", step).isCloseTo(expected.loss(), percent(0.1));
        assertThat(found.gradNorm())
            .as("gradient %d", step)
            .isCloseTo(expected.gradNorm(), percent(2));
        first = step == 0 ? expected.loss() : first;
        last = expected.loss();
      }
      assertThat(last).as("it learns").isLessThan(first);
    }
  }

  private static Percentage percent(double percent) {
    return Percentage.withPercentage(percent);
  }
}
