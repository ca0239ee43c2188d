package dev.kindling.worker.step;

import dev.kindling.kernels.backend.Memory;
import dev.kindling.kernels.backend.Program;
import dev.kindling.kernels.memory.Span;
import java.util.ArrayList;
import java.util.List;

/** The program that scores one sequence, with its places in each slot of the memory. */
final class SequenceScore {
  private final Program program;
  private final List<StepInputs> inputs = new ArrayList<>();
  private final List<Span> losses = new ArrayList<>();

  SequenceScore(Program program, Memory memory) {
    this.program = program;
    for (int slot = 0; slot < memory.slots(); slot++) {
      inputs.add(StepInputs.of(memory, slot, StepGraphs.SCORED, false));
      losses.add(memory.span(StepGraphs.SCORE, slot));
    }
  }

  Program program() {
    return program;
  }

  StepInputs inputs(int slot) {
    return inputs.get(slot);
  }

  float loss(int slot) {
    return losses.get(slot).getFloat(0);
  }
}
