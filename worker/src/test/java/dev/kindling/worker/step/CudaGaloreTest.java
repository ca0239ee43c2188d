package dev.kindling.worker.step;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.kindling.kernels.backend.Backend;
import dev.kindling.kernels.backend.CpuOptions;
import dev.kindling.kernels.backend.CudaOptions;
import dev.kindling.kernels.backend.MatmulKind;
import dev.kindling.kernels.backend.cuda.layout.Precision;
import dev.kindling.kernels.graph.Param;
import dev.kindling.optim.rule.Galore;
import dev.kindling.optim.rule.UpdateRule;
import dev.kindling.worker.model.Llama;
import dev.kindling.worker.shard.Held;
import java.util.Optional;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Steps of GaLore on the GPU across refreshes, against themselves and the CPU. */
@Tag("gpu")
class CudaGaloreTest {
  private static final int STEPS = 20;
  private static final int RANK = 72;

  /** Ranks beyond a tile of 64 and a panel of 32; wide, tall and square matrices. */
  private static final UpdateRule RULE =
      new Galore(1e-3, 0.9, 0.95, 1e-8, 0.1, 1.0, RANK, 1.0, 7, 8, 3, Optional.empty());

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

  private static DeviceRank onGpu(boolean captured) {
    CudaOptions options = new CudaOptions(0, Precision.BF16, captured, false);
    return new DeviceRank(model(), false, Backend.cuda(options), RULE);
  }

  @Test
  void aCapturedStepHasTheBitsOfAnEagerOne() {
    try (DeviceRank captured = onGpu(true);
        DeviceRank eager = onGpu(false)) {
      assertThat(captured.train(STEPS)).isEqualTo(eager.train(STEPS));
      for (Param param : captured.program().params()) {
        assertThat(captured.content(param.name())).isEqualTo(eager.content(param.name()));
      }
      for (Held state : captured.program().state()) {
        assertThat(captured.content(state.name())).isEqualTo(eager.content(state.name()));
      }
    }
  }

  @Test
  void basesAreOrthonormal() {
    try (DeviceRank gpu = onGpu(true)) {
      gpu.train(STEPS);
      int bases = 0;
      for (Held state : gpu.program().state()) {
        if (state.name().startsWith("state/basis/")) {
          bases++;
          assertOrthonormal(gpu.content(state.name()), state.name());
        }
      }
      assertThat(bases).isPositive();
    }
  }

  private static void assertOrthonormal(float[] basis, String name) {
    for (int k = 0; k < RANK; k++) {
      for (int l = 0; l <= k; l++) {
        double sum = 0;
        for (int i = 0; i < basis.length; i += RANK) {
          sum += (double) basis[i + k] * basis[i + l];
        }
        assertThat(sum)
            .as("%s, columns %d and %d", name, k, l)
            .isCloseTo(k == l ? 1 : 0, within(1e-5));
      }
    }
  }

  /**
   * Singular values that lie side by side leave their vectors free to turn with the rounding of the
   * gradient, and moments are taken along each vector: losses agree, trajectories need not.
   */
  @Test
  void lossesFallAsOnTheCpu() {
    int threads = Math.min(8, Runtime.getRuntime().availableProcessors());
    Backend host = Backend.cpu(new CpuOptions(threads, MatmulKind.JAVA));
    try (DeviceRank gpu = onGpu(true);
        DeviceRank cpu = new DeviceRank(model(), false, host, RULE)) {
      double[] expected = cpu.train(STEPS);
      double[] found = gpu.train(STEPS);
      double worst = 0;
      for (int i = 0; i < STEPS; i++) {
        worst = Math.max(worst, Math.abs(found[i] / expected[i] - 1));
      }
      assertThat(expected[STEPS - 1]).as("it learns").isLessThan(expected[0]);
      assertThat(worst).as("largest relative difference").isLessThan(1e-2);
    }
  }
}
