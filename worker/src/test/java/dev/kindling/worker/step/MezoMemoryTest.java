package dev.kindling.worker.step;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kindling.kernels.backend.cuda.CudaBytes;
import dev.kindling.kernels.backend.cuda.layout.GroupRules;
import dev.kindling.kernels.backend.cuda.layout.Layout;
import dev.kindling.kernels.backend.cuda.layout.LayoutCheck;
import dev.kindling.kernels.backend.cuda.layout.Precision;
import dev.kindling.kernels.graph.Graph;
import dev.kindling.kernels.graph.rewrite.Recompute;
import dev.kindling.optim.rule.Mezo;
import dev.kindling.worker.model.Full;
import dev.kindling.worker.model.Gpt2;
import dev.kindling.worker.model.Llama;
import dev.kindling.worker.model.ModelFamily;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/** What zeroth-order steps reserve on a GPU, and that a GPU can run them: planned, without one. */
class MezoMemoryTest {
  private static final long GIB = 1L << 30;
  private static final Mezo PLAIN = new Mezo(1e-7, 1e-3, 1, 0, 0, false);
  private static final Mezo SPARSE = new Mezo(1e-7, 1e-3, 1, 0, 0.8, false);

  private static ModelFamily llama(
      int width, int layers, int heads, int kvHeads, int mlp, int vocabulary) {
    return new Llama(
        width,
        layers,
        heads,
        Optional.of(kvHeads),
        Optional.empty(),
        Optional.of(mlp),
        Optional.of(vocabulary),
        1024,
        false,
        0.02,
        1e4,
        1e-5);
  }

  private static MezoStep step(ModelFamily model, Mezo rule, int tokens, int chunks) {
    return step(model, rule, tokens, new MemorySaving(Recompute.Level.NONE, chunks));
  }

  private static MezoStep hosted(ModelFamily model, Mezo rule, int tokens) {
    return step(model, rule, tokens, new MemorySaving(Recompute.Level.NONE, 8, true));
  }

  private static MezoStep step(ModelFamily model, Mezo rule, int tokens, MemorySaving saving) {
    StepShape shape = new StepShape(tokens, Math.min(tokens, 1024), false, 1, 1, saving);
    return new MezoStep(model, new Full(), rule, shape, 1, 1);
  }

  private static CudaBytes bytes(MezoStep step) {
    List<Graph> programs = step.programs();
    return CudaBytes.of(
        TrainStep.variables(programs), programs, Precision.BF16, CudaBytes.H100_MULTIPROCESSORS);
  }

  private static long weights(MezoStep step) {
    return step.finish().params().stream().mapToLong(p -> 2 * p.shape().elements()).sum();
  }

  @Test
  void aModelOf30BillionNeedsItsWeightsAndLessThanThreeGib() {
    ModelFamily model = llama(6656, 60, 52, 52, 17_920, 32_000);
    for (Mezo rule : List.of(PLAIN, SPARSE)) {
      MezoStep step = step(model, rule, 4096, 8);
      CudaBytes found = bytes(step);
      assertThat(weights(step)).isBetween(64_000_000_000L, 66_000_000_000L);
      assertThat(found.total() - weights(step)).as("%s", found).isBetween(0L, 3 * GIB);
    }
  }

  /** Beyond the weights: the head twice, a chunk of logits twice, values of a layer twice. */
  @Test
  void aModelOf8BillionNeedsItsHeadTwice() {
    MezoStep step = step(llama(4096, 32, 32, 8, 14_336, 128_256), PLAIN, 4096, 8);
    CudaBytes found = bytes(step);
    long head = 2L * 4096 * 128_256;
    assertThat(found.activations()).isBetween(2 * head, 2 * head + 5 * GIB / 8);
    assertThat(found.total() - weights(step)).isLessThan(3 * GIB);
    CudaBytes whole = bytes(step(llama(4096, 32, 32, 8, 14_336, 128_256), PLAIN, 4096, 1));
    assertThat(whole.activations() - found.activations()).isGreaterThan(GIB / 2);
  }

  /**
   * What the device holds of a model on the host: table and head, two layers of copies, what a step
   * needs beside its weights, and nothing that grows with the number of layers.
   */
  @Test
  void aModelOnTheHostNeedsTwoLayersTheTableAndTheHead() {
    for (Mezo rule : List.of(PLAIN, SPARSE)) {
      MezoStep step = hosted(llama(6656, 60, 52, 52, 17_920, 32_000), rule, 4096);
      CudaBytes found = bytes(step);
      CudaBytes resident = bytes(step(step.model(), rule, 4096, 8));
      long layers =
          step.finish().params().stream()
              .filter(step::isHosted)
              .mapToLong(p -> 2 * p.shape().elements())
              .sum();
      long layer = layers / 60;
      long rest = weights(step) - layers;
      assertThat(found.pinnedHost() - resident.pinnedHost()).isBetween(layers, layers + 1024);
      assertThat(resident.total() - found.total()).isBetween(layers - 5 * layer / 2, layers);
      assertThat(found.activations() - resident.activations()).isBetween(layer, 5 * layer / 2);
      assertThat(found.total()).isLessThan(rest + 5 * layer / 2 + 3 * GIB);
      CudaBytes half = bytes(hosted(llama(6656, 30, 52, 52, 17_920, 32_000), rule, 4096));
      assertThat(found.activations()).isEqualTo(half.activations());
    }
  }

  @Test
  void everyNodeHasAKernelAndAPlaceOnAGpu() {
    ModelFamily gpt2 =
        new Gpt2(64, 2, 1, Optional.empty(), Optional.of(97), 1024, true, 0.02, 1e-5);
    for (ModelFamily model : List.of(gpt2, llama(128, 2, 2, 1, 96, 97))) {
      for (Mezo rule : List.of(PLAIN, SPARSE, new Mezo(1e-7, 1e-3, 3, 0.1, 0, true))) {
        for (int chunks : new int[] {1, 8}) {
          MezoStep step = step(model, rule, 128, chunks);
          for (Graph graph : step.programs()) {
            LayoutCheck.check(graph, Layout.of(graph, Precision.BF16, GroupRules.ALL));
          }
          assertThat(bytes(step).total()).isPositive();
        }
        MezoStep step = hosted(model, rule, 128);
        for (Graph graph : step.programs()) {
          LayoutCheck.check(graph, Layout.of(graph, Precision.BF16, GroupRules.ALL));
        }
        assertThat(bytes(step).total()).isPositive();
      }
    }
  }
}
