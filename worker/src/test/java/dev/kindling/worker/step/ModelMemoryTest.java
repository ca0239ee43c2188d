package dev.kindling.worker.step;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.kindling.kernels.backend.cuda.CudaBytes;
import dev.kindling.kernels.backend.cuda.layout.Precision;
import dev.kindling.kernels.graph.Graph;
import dev.kindling.kernels.graph.Role;
import dev.kindling.kernels.graph.rewrite.Recompute.Level;
import dev.kindling.optim.rule.AdamState;
import dev.kindling.optim.rule.AdamW;
import dev.kindling.optim.rule.ApolloMini;
import dev.kindling.optim.rule.WeightStorage;
import dev.kindling.worker.model.Full;
import dev.kindling.worker.model.Gpt2;
import dev.kindling.worker.model.Llama;
import dev.kindling.worker.model.ModelFamily;
import dev.kindling.worker.plan.GradientLife;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/**
 * What the compared models reserve on an H100, in GiB. The peaks of torch.compile stand beside them
 * in docs/LOG.md: 15.1, 15.8, 21.8, 34.0.
 */
class ModelMemoryTest {
  private static final double GIB = 1L << 30;
  private static final MemorySaving ACTIVATIONS = new MemorySaving(Level.ACTIVATIONS, 1);
  private static final MemorySaving ELEMENTS = new MemorySaving(Level.ELEMENTS, 1);
  private static final MemorySaving BLOCKS = new MemorySaving(Level.BLOCKS, 8);

  private static final ModelFamily GPT2 =
      new Gpt2(768, 12, 12, Optional.empty(), Optional.of(50257), 1024, true, 0.02, 1e-5);

  private static ModelFamily llama(int width, int layers, int heads, int mlp) {
    Optional<Integer> none = Optional.empty();
    return new Llama(
        width,
        layers,
        heads,
        none,
        none,
        Optional.of(mlp),
        Optional.of(32000),
        1024,
        false,
        0.02,
        1e4,
        1e-5);
  }

  private static double gib(ModelFamily model, int sequences, MemorySaving saving) {
    StepShape shape = new StepShape(sequences * 1024, 1024, false, 1, 1, saving);
    return gib(model, shape, true);
  }

  private static double gib(ModelFamily model, StepShape shape, boolean master) {
    AdamW rule = new AdamW(1e-4, 0.9, 0.95, 1e-8, 0.1, 1.0, master);
    return gib(new StepGraphs(model, new Full(), rule, shape));
  }

  private static double gib(StepGraphs graphs) {
    List<Graph> programs = graphs.programs();
    return CudaBytes.of(
                TrainStep.variables(programs),
                programs,
                Precision.BF16,
                CudaBytes.H100_MULTIPROCESSORS)
            .total()
        / GIB;
  }

  @Test
  void predictsWhatWasMeasuredOnTheCard() {
    assertThat(gib(GPT2, 32, MemorySaving.NONE)).isCloseTo(14.34, within(0.005));
    assertThat(gib(llama(768, 12, 12, 2048), 32, MemorySaving.NONE))
        .isCloseTo(13.39, within(0.005));
  }

  @Test
  void eachLevelOfEachModelHasItsPeak() {
    ModelFamily small = llama(1024, 24, 16, 2736);
    ModelFamily large = llama(2048, 24, 32, 5461);
    assertPeaks(GPT2, 32, 14.34, 12.09, 10.97, 3.47);
    assertPeaks(llama(768, 12, 12, 2048), 32, 13.39, 11.89, 10.77, 4.01);
    assertPeaks(small, 16, 19.32, 17.31, 15.81, 7.74);
    assertPeaks(large, 8, 35.13, 33.13, 31.63, 24.03);
  }

  private static void assertPeaks(
      ModelFamily model,
      int sequences,
      double none,
      double activations,
      double elements,
      double blocks) {
    assertThat(gib(model, sequences, MemorySaving.NONE)).isCloseTo(none, within(0.01));
    assertThat(gib(model, sequences, ACTIVATIONS)).isCloseTo(activations, within(0.01));
    assertThat(gib(model, sequences, ELEMENTS)).isCloseTo(elements, within(0.01));
    assertThat(gib(model, sequences, BLOCKS)).isCloseTo(blocks, within(0.01));
  }

  /** What a run of one micro-step takes: each matrix has two bytes less per element. */
  @Test
  void gradientsThatAreWrittenOnceTakeTwoBytesLess() {
    AdamW rule = new AdamW(1e-4, 0.9, 0.95, 1e-8, 0.1, 1.0, true);
    ModelFamily large = llama(2048, 24, 32, 5461);
    StepShape shape = new StepShape(8 * 1024, 1024, false, 1, 1);
    StepGraphs wide = new StepGraphs(large, new Full(), rule, shape);
    double saved = gib(wide) - gib(wide.withNarrowGradients());
    assertThat(saved).isCloseTo(2 * 1_338_982_400.0 / GIB, within(0.001));
    assertThat(gib(wide.withNarrowGradients())).isLessThan(34.0);
  }

  /** 6.48e9 elements of hidden matrices, of which nothing else is stored. */
  @Test
  void sevenBillionParametersTrainInLessThanNineAndAHalfBillionBytes() {
    AdamW rest = new AdamW(0.01, 0.9, 0.999, 1e-6, 0, 0, false, AdamState.INT8);
    ApolloMini rule =
        new ApolloMini(
            0.01,
            0.9,
            0.999,
            1e-6,
            0,
            0,
            Optional.of(128.0),
            200,
            false,
            1.01,
            0,
            WeightStorage.INT8,
            Optional.of(rest));
    StepShape shape = new StepShape(256, 256, false, 1, 1, BLOCKS);
    StepGraphs graphs =
        new StepGraphs(llama(4096, 32, 32, 11008), new Full(), rule, shape)
            .with(GradientLife.PASSING);
    List<Graph> programs = graphs.programs();
    CudaBytes bytes =
        CudaBytes.of(
            TrainStep.variables(programs),
            programs,
            Precision.BF16,
            CudaBytes.H100_MULTIPROCESSORS);
    long hidden = 32L * (4L * 4096 * 4096 + 3L * 4096 * 11008);
    assertThat(bytes.codes()).isEqualTo(hidden * 132 / 128);
    // Gains keep their masters.
    assertThat(bytes.variables().get(Role.PARAMETER)).isEqualTo(65L * 4096 * 4);
    assertThat(bytes.copies()).isEqualTo(2 * (2L * 32000 * 4096 + 65L * 4096));
    // The largest gradient is that of the table, in fp32, and little else is alive then.
    assertThat(bytes.activations()).isBetween(32000L * 4096 * 4, 32000L * 4096 * 4 + 80_000_000);
    // Gate and up of one layer in bf16.
    assertThat(bytes.scratch()).isEqualTo(2L * 4096 * 11008 * 2);
    assertThat(bytes.total()).as("%s", bytes).isLessThan(9_500_000_000L);
  }

  /** Every kernel that binds a matrix must do with its bf16 copy. */
  @Test
  void withoutMastersAMatrixTakesTwoBytesInsteadOfSix() {
    StepShape shape = new StepShape(8 * 1024, 1024, false, 1);
    ModelFamily large = llama(2048, 24, 32, 5461);
    double matrices = 1_338_982_400;
    double saved = gib(large, shape, true) - gib(large, shape, false);
    // And in each of four programs no table that makes their copies again: 16 bytes a piece.
    double tables = 4 * 16 * matrices / 16384;
    assertThat(saved).isCloseTo((4 * matrices + tables) / GIB, within(0.0001));
    assertThat(gib(GPT2, shape, true)).isGreaterThan(gib(GPT2, shape, false) + 0.4);
  }
}
