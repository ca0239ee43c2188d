package dev.kindling.worker.step;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kindling.kernels.backend.Backend;
import dev.kindling.kernels.backend.CpuOptions;
import dev.kindling.kernels.backend.CudaOptions;
import dev.kindling.kernels.backend.MatmulKind;
import dev.kindling.kernels.backend.cuda.layout.Precision;
import dev.kindling.kernels.graph.Param;
import dev.kindling.optim.rule.Apollo;
import dev.kindling.optim.rule.ApolloMini;
import dev.kindling.optim.rule.Granularity;
import dev.kindling.optim.rule.UpdateRule;
import dev.kindling.worker.model.Llama;
import dev.kindling.worker.shard.Held;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Steps of APOLLO on the GPU across refreshes, against the CPU in fp32 and against themselves. */
@Tag("gpu")
class CudaApolloTest {
  private static final int STEPS = 20;

  /** Wide matrices without and with columns in multiples of 8, tall and square ones. */
  static Llama model() {
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

  static List<UpdateRule> rules() {
    Optional<Double> auto = Optional.empty();
    return List.of(
        new Apollo(
            1e-3,
            0.9,
            0.95,
            1e-8,
            0.1,
            1.0,
            64,
            auto,
            7,
            false,
            1.01,
            Granularity.CHANNEL,
            3,
            Optional.empty()),
        new Apollo(
            1e-3,
            0.9,
            0.95,
            1e-8,
            0.1,
            1.0,
            9,
            auto,
            7,
            false,
            0,
            Granularity.TENSOR,
            3,
            Optional.empty()),
        new ApolloMini(1e-3, 0.9, 0.95, 1e-8, 0.1, 1.0, auto, 7, true, 1.01, 3, Optional.empty()));
  }

  private static DeviceRank onGpu(UpdateRule rule, boolean captured) {
    CudaOptions options = new CudaOptions(0, Precision.BF16, captured, false);
    return new DeviceRank(model(), false, Backend.cuda(options), rule);
  }

  private static DeviceRank onCpu(UpdateRule rule) {
    int threads = Math.min(8, Runtime.getRuntime().availableProcessors());
    Backend cpu = Backend.cpu(new CpuOptions(threads, MatmulKind.JAVA));
    return new DeviceRank(model(), false, cpu, rule);
  }

  @ParameterizedTest
  @MethodSource("rules")
  void aCapturedStepHasTheBitsOfAnEagerOne(UpdateRule rule) {
    try (DeviceRank captured = onGpu(rule, true);
        DeviceRank eager = onGpu(rule, false)) {
      assertThat(captured.train(STEPS)).isEqualTo(eager.train(STEPS));
      for (Param param : captured.program().params()) {
        assertThat(captured.content(param.name())).isEqualTo(eager.content(param.name()));
      }
      for (Held state : captured.program().state()) {
        assertThat(captured.content(state.name())).isEqualTo(eager.content(state.name()));
      }
    }
  }

  @ParameterizedTest
  @MethodSource("rules")
  void lossesAreThoseOfTheCpu(UpdateRule rule) {
    try (DeviceRank gpu = onGpu(rule, true);
        DeviceRank cpu = onCpu(rule)) {
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
}
