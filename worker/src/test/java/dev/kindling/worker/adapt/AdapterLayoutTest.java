package dev.kindling.worker.adapt;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.kindling.kernels.backend.cuda.CudaBytes;
import dev.kindling.kernels.backend.cuda.layout.Group;
import dev.kindling.kernels.backend.cuda.layout.GroupRules;
import dev.kindling.kernels.backend.cuda.layout.Layout;
import dev.kindling.kernels.backend.cuda.layout.LayoutCheck;
import dev.kindling.kernels.backend.cuda.layout.Precision;
import dev.kindling.kernels.graph.Graph;
import dev.kindling.kernels.graph.op.LinearOnto;
import dev.kindling.kernels.graph.rewrite.Recompute;
import dev.kindling.worker.model.Gpt2;
import dev.kindling.worker.model.Llama;
import dev.kindling.worker.model.ModelFamily;
import dev.kindling.worker.plan.GradientLife;
import dev.kindling.worker.shard.Sharding;
import dev.kindling.worker.step.MemorySaving;
import dev.kindling.worker.step.StepGraphs;
import dev.kindling.worker.step.StepShape;
import dev.kindling.worker.step.TrainStep;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** How a GPU would run steps with adapters, without one. */
class AdapterLayoutTest {
  static Stream<Arguments> combinations() {
    List<Adapter> adapters =
        List.of(
            new Frozen(List.of(".*(norm|ln_1)")),
            AdaptedRank.lora(2, 4, 0, List.of()),
            AdaptedRank.lora(2, 4, 0.1, List.of(".*(ln_f|model.norm)")),
            AdaptedRank.dora(2, 4, 0.1),
            AdaptedRank.maskLora(2, 4, List.of()),
            AdaptedRank.perp(2, 0, 4),
            AdaptedRank.paca(3, 6),
            AdaptedRank.nf4(AdaptedRank.lora(2, 4, 0.1, List.of())),
            AdaptedRank.nf4(AdaptedRank.dora(2, 4, 0)),
            AdaptedRank.nf4(AdaptedRank.paca(3, 6)));
    return AdaptedRank.families().stream()
        .flatMap(family -> adapters.stream().map(adapter -> Arguments.of(family, adapter)));
  }

  private static StepGraphs graphs(ModelFamily model, Adapter adapter, StepShape shape, int zero) {
    Sharding sharding = new Sharding(zero, zero == 0 ? 1 : 2);
    return new StepGraphs(
        model,
        adapter.projection(model, 1),
        AdaptedRank.RULE,
        shape,
        sharding,
        GradientLife.NARROW_SUMS);
  }

  @ParameterizedTest
  @MethodSource("combinations")
  void layoutsComputeEveryProgramHoweverMemoryIsSaved(ModelFamily model, Adapter adapter) {
    for (Recompute.Level level : Recompute.Level.values()) {
      for (int zero = 0; zero <= 3; zero++) {
        MemorySaving saving = new MemorySaving(level, 1 + zero);
        StepShape shape = new StepShape(12, 6, false, 1, 1 + zero % 2, saving);
        List<Graph> programs = graphs(model, adapter, shape, zero).programs();
        for (Graph graph : programs) {
          for (Precision precision : Precision.values()) {
            LayoutCheck.check(graph, Layout.of(graph, precision, GroupRules.ALL));
          }
        }
      }
    }
  }

  @Test
  void everyLaunchHasItsArguments() {
    ModelFamily gpt2 = new Gpt2(128, 2, 2, Optional.empty(), Optional.of(97), 64, true, 0.02, 1e-5);
    for (ModelFamily model : List.of(gpt2, llama(2))) {
      for (Adapter adapter :
          List.of(
              AdaptedRank.lora(2, 4, 0.1, List.of()),
              AdaptedRank.dora(2, 4, 0.1),
              AdaptedRank.maskLora(2, 4, List.of()),
              AdaptedRank.paca(3, 6),
              AdaptedRank.nf4(AdaptedRank.lora(2, 4, 0.1, List.of())),
              AdaptedRank.nf4(AdaptedRank.dora(2, 4, 0)),
              AdaptedRank.nf4(AdaptedRank.paca(3, 6)))) {
        for (int zero = 0; zero <= 3; zero++) {
          StepShape shape = new StepShape(64, 32, false, 1, 1);
          List<Graph> programs = graphs(model, adapter, shape, zero).programs();
          assertThat(price(programs)).isPositive();
        }
      }
    }
  }

  private static Llama llama(int layers) {
    return new Llama(
        512,
        layers,
        8,
        Optional.of(4),
        Optional.empty(),
        Optional.of(1408),
        Optional.of(1024),
        128,
        false,
        0.02,
        1e4,
        1e-5);
  }

  @Test
  void queryKeyAndValueStayOneProductAndSoDoTheirFactors() {
    StepShape shape = new StepShape(128, 128, false, 1, 1);
    Graph graph = graphs(llama(2), AdaptedRank.lora(8, 16, 0, List.of()), shape, 0).finish();
    Layout layout = Layout.of(graph, Precision.BF16, GroupRules.ALL);
    long packed =
        layout.groups().stream()
            .filter(group -> group.kind() == Group.Kind.LINEAR && group.nodes().size() == 3)
            .count();
    assertThat(packed).as("%s", layout).isEqualTo(2 * 2);
    assertThat(graph.nodes().stream().filter(node -> node.op() instanceof LinearOnto).count())
        .isEqualTo(7 * 2);
  }

  @Test
  void aFrozenMatrixTakesTwoBytesAnElement() {
    StepShape shape = new StepShape(128, 128, false, 1, 1);
    Adapter lora = AdaptedRank.lora(8, 16, 0, List.of());
    long fewer = bytes(llama(2), lora, shape);
    long more = bytes(llama(3), lora, shape);
    long matrices = 512 * 512 * 2 + 512 * 256 * 2 + 3L * 512 * 1408;
    long factors = 8 * (4 * 512 + 2 * 512 + 2 * 256 + 3 * (512 + 1408));
    double expected = 2.0 * matrices + (4 + 2 + 2 + 8.0) * factors;
    // Activations of a layer: some 20 rows of 512 and 5 of 1408, two bytes each.
    double kept = 128 * 2.0 * (20 * 512 + 5 * 1408);
    assertThat((double) (more - fewer)).isCloseTo(expected, within(kept + 0.02 * expected));
  }

  @Test
  void aPackedMatrixTakesLittleMoreThanFourBitsAnElementAndNothingOfItIsKept() {
    StepShape shape = new StepShape(128, 128, false, 1, 1);
    for (Adapter plain : List.of(AdaptedRank.lora(8, 16, 0, List.of()), AdaptedRank.paca(16, 16))) {
      Adapter packed = AdaptedRank.nf4(plain);
      long fewer = bytes(llama(12), plain, shape) - bytes(llama(12), packed, shape);
      long more = bytes(llama(13), plain, shape) - bytes(llama(13), packed, shape);
      long matrices = 512 * 512 * 2 + 512 * 256 * 2 + 3L * 512 * 1408;
      double saved = (2 - 4.127 / 8) * matrices;
      // Gradients of deltas are fp32, as those of columns; scales of small matrices are padded.
      assertThat((double) (more - fewer)).as("%s", plain).isCloseTo(saved, within(0.01 * saved));
      assertThat((double) more).isGreaterThan(0.9 * 13 * saved);
    }
  }

  private static long bytes(ModelFamily model, Adapter adapter, StepShape shape) {
    return price(graphs(model, adapter, shape, 0).programs());
  }

  private static long price(List<Graph> programs) {
    return CudaBytes.of(
            TrainStep.variables(programs), programs, Precision.BF16, CudaBytes.H100_MULTIPROCESSORS)
        .total();
  }
}
