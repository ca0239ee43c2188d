package dev.kindling.worker.step;

import dev.kindling.kernels.backend.Memory;
import dev.kindling.kernels.backend.Program;
import dev.kindling.kernels.graph.GraphBuilder;
import dev.kindling.kernels.graph.StepScalar;
import dev.kindling.kernels.memory.Span;

/**
 * The compiled {@link TrainStep#replay} and where the host writes what it reads.
 *
 * @param memory that the program was compiled over
 */
public record SlopeReplay(Program program, Memory memory) {

  /**
   * Writes what a step was, for the next run in this slot.
   *
   * @param step number of the step, which picks its random numbers
   * @param rate learning rate as the step's update used it
   * @param skipped whether every parameter kept its bits
   * @param slopes along the directions of the step
   */
  public void write(int slot, long step, float rate, boolean skipped, float[] slopes) {
    Span given = memory.span(MezoStep.GIVEN, slot);
    for (int i = 0; i < slopes.length; i++) {
      given.putFloat(i, slopes[i]);
    }
    memory.span(MezoStep.GIVEN_SCALE, slot).putFloat(0, skipped ? 0f : 1f);
    Span block = memory.span(GraphBuilder.stepName(0), slot);
    block.putFloat(StepScalar.LEARNING_RATE.ordinal(), rate);
    block.putFloat(StepScalar.STEP.ordinal(), step);
  }
}
