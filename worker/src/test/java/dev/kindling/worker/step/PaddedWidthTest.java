package dev.kindling.worker.step;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kindling.comm.loopback.LoopbackCommunicator;
import dev.kindling.kernels.backend.Backend;
import dev.kindling.kernels.backend.CpuOptions;
import dev.kindling.kernels.backend.MatmulKind;
import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.graph.Shape;
import dev.kindling.kernels.memory.Span;
import dev.kindling.kernels.random.Initialization;
import dev.kindling.kernels.random.Philox;
import dev.kindling.optim.rule.AdamW;
import dev.kindling.worker.model.Full;
import dev.kindling.worker.model.Llama;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/**
 * An odd MLP width inside a wider one whose further rows and columns begin as zeros: they stay
 * exactly zero, and the losses are those of the odd width.
 */
class PaddedWidthTest {
  private static final int ODD = 21;
  private static final int PADDED = 32;
  private static final int TOKENS = 32;
  private static final int VOCABULARY = 29;
  private static final int STEPS = 20;

  /** A program with its backend. */
  private record Run(Backend backend, StepProgram program) implements AutoCloseable {
    static Run ofWidth(int width) {
      Optional<Integer> none = Optional.empty();
      Llama model =
          new Llama(
              16,
              2,
              2,
              none,
              none,
              Optional.of(width),
              Optional.of(VOCABULARY),
              16,
              true,
              0.2,
              1e4,
              1e-5);
      StepGraphs graphs =
          new StepGraphs(
              model,
              new Full(),
              new AdamW(0.01, 0.9, 0.95, 1e-8, 0.1, 1.0),
              new StepShape(TOKENS, 16, false, 1));
      Backend backend = Backend.cpu(new CpuOptions(1, MatmulKind.JAVA));
      return new Run(
          backend, StepProgram.compile(graphs, backend, LoopbackCommunicator.create(1).get(0)));
    }

    float[] values(String variable) {
      return program.memory().span(variable).toFloats();
    }

    void write(int step) {
      StepInputs inputs = program.inputs();
      for (int i = 0; i < TOKENS; i++) {
        int token = Math.floorMod((int) (1000 * Philox.normal(9, 100 * step + i)), VOCABULARY);
        inputs.tokens().put(i, token);
        inputs.targets().put(i, (3 * token + 1) % VOCABULARY);
        inputs.positions().put(i, i % 16);
      }
    }

    @Override
    public void close() {
      program.close();
      backend.close();
    }
  }

  @Test
  void paddedRowsAndColumnsStayExactlyZeroAndLossesAreThoseOfTheOddWidth() {
    try (Run odd = Run.ofWidth(ODD);
        Run padded = Run.ofWidth(PADDED)) {
      for (Param param : odd.program().params()) {
        Initialization.fill(param, 3, odd.program().memory().span(param.name()));
      }
      for (Param param : padded.program().params()) {
        embed(odd.values(param.name()), param, padded.program().memory().span(param.name()));
      }
      for (int step = 1; step <= STEPS; step++) {
        odd.write(step);
        padded.write(step);
        odd.program().accumulate();
        padded.program().accumulate();
        assertPaddingIsZero(padded, "grad/%s");
        StepOutcome expected = odd.program().finish(step, 1, false);
        StepOutcome found = padded.program().finish(step, 1, false);
        // The norm's partial sums end at other elements: it may round otherwise, and the clip with
        // it.
        assertThat(found.loss() / expected.loss()).isBetween(1 - 1e-5f, 1 + 1e-5f);
        assertThat(found.gradNorm()).isPositive();
        assertPaddingIsZero(padded, "%s");
        assertPaddingIsZero(padded, "state/m/%s");
        assertPaddingIsZero(padded, "state/v/%s");
      }
    }
  }

  private static void assertPaddingIsZero(Run padded, String name) {
    for (Param param : padded.program().params()) {
      List<Float> padding = padding(param, padded.values(String.format(name, param.name())));
      boolean wide = param.shape().dims().contains(PADDED);
      assertThat(padding).hasSize(wide ? 16 * (PADDED - ODD) : 0);
      assertThat(padding).as(name, param.name()).allMatch(value -> value == 0f);
    }
  }

  /** Elements behind the odd width. */
  private static List<Float> padding(Param param, float[] values) {
    List<Float> found = new ArrayList<>();
    Shape shape = param.shape();
    int columns = shape.rank() == 1 ? 1 : shape.dim(1);
    for (int i = 0; i < values.length; i++) {
      boolean row = shape.dim(0) == PADDED && i / columns >= ODD;
      boolean column = columns == PADDED && i % columns >= ODD;
      if (row || column) {
        found.add(values[i]);
      }
    }
    return found;
  }

  private static void embed(float[] odd, Param param, Span into) {
    Shape shape = param.shape();
    int columns = shape.rank() == 1 ? 1 : shape.dim(1);
    int oddColumns = columns == PADDED ? ODD : columns;
    for (int i = 0; i < odd.length; i++) {
      into.putFloat((long) (i / oddColumns) * columns + i % oddColumns, odd[i]);
    }
  }
}
