package dev.kindling.worker.step;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kindling.kernels.backend.Backend;
import dev.kindling.kernels.backend.CpuOptions;
import dev.kindling.kernels.backend.CudaOptions;
import dev.kindling.kernels.backend.MatmulKind;
import dev.kindling.kernels.backend.Memory;
import dev.kindling.kernels.backend.Snapshot;
import dev.kindling.kernels.backend.cuda.layout.Precision;
import dev.kindling.kernels.graph.rewrite.Recompute.Level;
import dev.kindling.kernels.memory.Span;
import dev.kindling.optim.rule.AdamState;
import dev.kindling.optim.rule.AdamW;
import dev.kindling.optim.rule.Apollo;
import dev.kindling.optim.rule.ApolloMini;
import dev.kindling.optim.rule.Granularity;
import dev.kindling.optim.rule.UpdateRule;
import dev.kindling.optim.rule.WeightStorage;
import dev.kindling.worker.plan.GradientLife;
import dev.kindling.worker.shard.Held;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Weights in codes of 8 bits on the GPU, updated during backward and behind it. */
@Tag("gpu")
class CudaQuantizedApolloTest {
  private static final int STEPS = 20;

  static List<UpdateRule> rules() {
    Optional<Double> auto = Optional.empty();
    return List.of(
        new Apollo(
            1e-3,
            0.9,
            0.95,
            1e-8,
            0.1,
            0,
            64,
            auto,
            7,
            false,
            1.01,
            Granularity.CHANNEL,
            3,
            WeightStorage.INT8,
            Optional.empty()),
        mini(WeightStorage.INT8));
  }

  private static ApolloMini mini(WeightStorage weights) {
    AdamW rest = new AdamW(1e-3, 0.9, 0.95, 1e-8, 0.1, 0, false, AdamState.INT8);
    return new ApolloMini(
        1e-3,
        0.9,
        0.95,
        1e-8,
        0.1,
        0,
        Optional.empty(),
        7,
        true,
        1.01,
        3,
        weights,
        Optional.of(rest));
  }

  private static StepGraphs graphs(UpdateRule rule, GradientLife life) {
    return DeviceRank.graphs(CudaApolloTest.model(), false, rule, 1).with(life);
  }

  private static DeviceRank onGpu(StepGraphs graphs, boolean captured) {
    CudaOptions options = new CudaOptions(0, Precision.BF16, captured, false);
    return new DeviceRank(graphs, Backend.cuda(options));
  }

  private static DeviceRank onGpu(StepGraphs graphs) {
    return onGpu(graphs, true);
  }

  private static List<Held> tensors(DeviceRank rank) {
    List<Held> tensors = new ArrayList<>(rank.program().weights());
    tensors.addAll(rank.program().state());
    return tensors;
  }

  @ParameterizedTest
  @MethodSource("rules")
  void aCapturedStepHasTheBitsOfAnEagerOne(UpdateRule rule) {
    for (GradientLife life : List.of(GradientLife.NARROW_SUMS, GradientLife.PASSING)) {
      StepGraphs graphs = graphs(rule, life).with(new MemorySaving(Level.BLOCKS, 2));
      try (DeviceRank captured = onGpu(graphs);
          DeviceRank eager = onGpu(graphs, false)) {
        assertThat(captured.train(STEPS)).isEqualTo(eager.train(STEPS));
        for (Held held : tensors(captured)) {
          assertThat(captured.content(held.name())).isEqualTo(eager.content(held.name()));
        }
      }
    }
  }

  @ParameterizedTest
  @MethodSource("rules")
  void lossesAreThoseOfTheCpu(UpdateRule rule) {
    StepGraphs graphs = graphs(rule, GradientLife.PASSING);
    int threads = Math.min(8, Runtime.getRuntime().availableProcessors());
    try (DeviceRank gpu = onGpu(graphs);
        DeviceRank cpu =
            new DeviceRank(graphs, Backend.cpu(new CpuOptions(threads, MatmulKind.JAVA)))) {
      double[] expected = cpu.train(STEPS);
      assertThat(expected[STEPS - 1]).as("it learns").isLessThan(expected[0]);
      assertThat(worst(gpu.train(STEPS), expected)).isLessThan(1e-3);
    }
  }

  private static double worst(double[] found, double[] expected) {
    double worst = 0;
    for (int i = 0; i < found.length; i++) {
      worst = Math.max(worst, Math.abs(found[i] / expected[i] - 1));
    }
    return worst;
  }

  /** Weights in fp32: what differs is how products are joined. */
  @Test
  void updatesDuringBackwardFollowThoseBehindIt() {
    UpdateRule rule = mini(WeightStorage.FP32);
    try (DeviceRank behind = onGpu(graphs(rule, GradientLife.NARROW_SUMS));
        DeviceRank during = onGpu(graphs(rule, GradientLife.PASSING))) {
      assertThat(worst(during.train(STEPS), behind.train(STEPS))).isLessThan(1e-3);
    }
  }

  /** As a checkpoint takes them and brings them back. */
  @Test
  void codesComeBackBitForBitFromHostAndSnapshot() {
    StepGraphs graphs = graphs(rules().get(1), GradientLife.PASSING);
    try (DeviceRank whole = onGpu(graphs);
        DeviceRank resumed = onGpu(graphs)) {
      whole.train(9);
      resumed.train(9);
      Memory from = whole.program().memory();
      Memory to = resumed.program().memory();
      List<String> names = tensors(whole).stream().map(Held::name).toList();
      try (Snapshot snapshot = from.snapshot(names)) {
        snapshot.take();
        snapshot.await();
        for (String name : names) {
          float[] content = whole.content(name);
          try (Span copy = Span.allocate((long) content.length * Float.BYTES)) {
            snapshot.fetch(name, 0, copy);
            assertThat(copy.toFloats()).as(name).isEqualTo(content);
            to.span(name).buffer().put(0, copy.buffer(), 0, (int) copy.bytes());
          }
          to.publish(name);
          assertThat(resumed.content(name)).as(name).isEqualTo(content);
        }
      }
      assertThat(resumed.train(9)).isEqualTo(whole.train(9));
      for (String name : names) {
        assertThat(resumed.content(name)).as(name).isEqualTo(whole.content(name));
      }
    }
  }

  @Test
  void whatIsReservedIsWhatWasPredicted() {
    StepGraphs graphs =
        graphs(rules().get(1), GradientLife.PASSING).with(new MemorySaving(Level.BLOCKS, 2));
    Backend gpu = Backend.cuda(new CudaOptions(0, Precision.BF16, true, false));
    long predicted = gpu.bytesNeeded(TrainStep.variables(graphs.programs()), graphs.programs());
    try (DeviceRank rank = new DeviceRank(graphs, gpu)) {
      assertThat(rank.program().bytesPeak()).isEqualTo(predicted);
    }
  }
}
