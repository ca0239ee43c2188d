package dev.kindling.worker.step;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.kindling.comm.loopback.LoopbackCommunicator;
import dev.kindling.kernels.backend.Backend;
import dev.kindling.kernels.backend.CpuOptions;
import dev.kindling.kernels.backend.CudaOptions;
import dev.kindling.kernels.backend.MatmulKind;
import dev.kindling.kernels.backend.cuda.layout.Precision;
import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.graph.rewrite.Recompute.Level;
import dev.kindling.kernels.memory.Span;
import dev.kindling.kernels.random.Initialization;
import dev.kindling.kernels.random.Philox;
import dev.kindling.optim.rule.AdamW;
import dev.kindling.worker.model.Full;
import dev.kindling.worker.model.Gpt2;
import dev.kindling.worker.model.Llama;
import dev.kindling.worker.model.ModelFamily;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Savings, their predicted bytes and updates without masters, on one GPU. */
@Tag("gpu")
class MemorySavingGpuTest {
  private static final int TOKENS = 1024;
  private static final int SEQUENCE = 256;
  private static final int VOCABULARY = 1003;
  private static final int STEPS = 10;

  private static final ModelFamily LLAMA =
      new Llama(
          256,
          3,
          4,
          Optional.of(2),
          Optional.empty(),
          Optional.of(704),
          Optional.of(VOCABULARY),
          SEQUENCE,
          false,
          0.02,
          1e4,
          1e-5);
  private static final ModelFamily GPT2 =
      new Gpt2(256, 3, 4, Optional.empty(), Optional.of(VOCABULARY), SEQUENCE, true, 0.02, 1e-5);

  private static StepGraphs graphs(ModelFamily model, MemorySaving saving, boolean master) {
    return new StepGraphs(
        model,
        new Full(),
        new AdamW(1e-3, 0.9, 0.95, 1e-8, 0.1, 1.0, master),
        new StepShape(TOKENS, SEQUENCE, false, 1, 1, saving));
  }

  /** Losses of some steps on fixed tokens; checks the prediction on the way. */
  private static List<Float> losses(Backend backend, StepGraphs graphs) {
    try (StepProgram program =
        StepProgram.compile(graphs, backend, LoopbackCommunicator.create(1).get(0))) {
      if (backend.bytesReserved().isPresent()) {
        long predicted =
            backend.bytesNeeded(TrainStep.variables(graphs.programs()), graphs.programs());
        assertThat(backend.bytesReserved().getAsLong()).isEqualTo(predicted);
      }
      for (Param param : program.params()) {
        Initialization.fill(param, 3, program.memory().span(param.name()));
        program.memory().publish(param.name());
      }
      List<Float> losses = new ArrayList<>();
      for (int step = 1; step <= STEPS; step++) {
        for (int i = 0; i < TOKENS; i++) {
          int token = Math.floorMod((int) (1e4 * Philox.normal(step, i)), VOCABULARY);
          program.inputs().tokens().put(i, token);
          program.inputs().targets().put(i, i % 7 == 0 ? -100 : (3 * token + 1) % VOCABULARY);
          program.inputs().positions().put(i, i % SEQUENCE);
        }
        losses.add(program.finish(step, 1, false).loss());
      }
      for (Param param : program.params()) {
        program.memory().fetch(param.name());
        Span whole = program.memory().span(param.name());
        DeviceRank.requireSameInRuns(program.memory(), param.name(), whole);
        boolean narrow = !((AdamW) graphs.rule()).master() && param.shape().rank() == 2;
        for (float value : whole.toFloats()) {
          assertThat(Float.isFinite(value)).isTrue();
          assertThat(!narrow || (Float.floatToRawIntBits(value) & 0xFFFF) == 0).isTrue();
        }
      }
      return losses;
    }
  }

  private static List<Float> onGpu(StepGraphs graphs) {
    try (Backend gpu = Backend.cuda(new CudaOptions(0, Precision.BF16, true, false))) {
      return losses(gpu, graphs);
    }
  }

  private static List<Float> onCpu(StepGraphs graphs) {
    try (Backend cpu = Backend.cpu(new CpuOptions(4, MatmulKind.OPENBLAS))) {
      return losses(cpu, graphs);
    }
  }

  private static void assertClose(List<Float> found, List<Float> expected, double tolerance) {
    for (int i = 0; i < STEPS; i++) {
      assertThat((double) found.get(i) / expected.get(i))
          .as("step %d", i + 1)
          .isCloseTo(1, within(tolerance));
    }
  }

  @Test
  void everySavingReservesWhatWasPredictedAndTrainsAlike() {
    for (ModelFamily model : List.of(LLAMA, GPT2)) {
      List<Float> expected = onCpu(graphs(model, MemorySaving.NONE, true));
      for (Level level : Level.values()) {
        for (int chunks : new int[] {1, 3, 8}) {
          MemorySaving saving = new MemorySaving(level, chunks);
          assertClose(onGpu(graphs(model, saving, true)), expected, 3e-3);
        }
      }
    }
  }

  @Test
  void gradientsInBf16TrainLikeTheCpuAndTwiceWithEqualBits() {
    for (ModelFamily model : List.of(LLAMA, GPT2)) {
      for (boolean master : new boolean[] {true, false}) {
        StepGraphs graphs = graphs(model, MemorySaving.NONE, master);
        List<Float> expected = onCpu(graphs);
        List<Float> found = onGpu(graphs.withNarrowGradients());
        assertClose(found, expected, 5e-3);
        assertThat(onGpu(graphs.withNarrowGradients())).isEqualTo(found);
        StepGraphs chunks = graphs.with(new MemorySaving(Level.ELEMENTS, 3)).withNarrowGradients();
        assertClose(onGpu(chunks), expected, 5e-3);
      }
    }
  }

  @Test
  void withoutMastersTrainsLikeTheCpuAndTwiceWithEqualBits() {
    for (ModelFamily model : List.of(LLAMA, GPT2)) {
      StepGraphs graphs = graphs(model, MemorySaving.NONE, false);
      List<Float> found = onGpu(graphs);
      assertClose(found, onCpu(graphs), 1e-2);
      assertThat(onGpu(graphs)).isEqualTo(found);
    }
  }
}
