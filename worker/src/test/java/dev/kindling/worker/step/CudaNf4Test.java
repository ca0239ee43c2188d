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

  @ParameterizedTest
  @MethodSource("adapters")
  void lossesAreThoseOfTheCpu(Adapter adapter) {
    // Not in fp32, whose attention is none on a GPU.
    try (DeviceRank gpu = rank(adapter, gpu(true));
        DeviceRank cpu = rank(adapter, cpu())) {
      double[] expected = cpu.train(STEPS);
      assertThat(expected[STEPS - 1]).as("it learns").isLessThan(expected[0]);
      assertThat(worst(gpu.train(STEPS), expected)).isLessThan(1e-3);
    }
  }

  /** Largest relative difference. */
  private static double worst(double[] found, double[] expected) {
    double worst = 0;
    for (int i = 0; i < found.length; i++) {
      worst = Math.max(worst, Math.abs(found[i] / expected[i] - 1));
    }
    return worst;
  }
}
