package dev.kindling.optim.rule;

import dev.kindling.kernels.memory.Span;

/** Writes the scalars of one step into one step block. */
@FunctionalInterface
public interface StepFill {
  /**
   * @param stepBlock memory of the step block, fp32, one element for each {@code StepScalar}
   * @param update number of the update, from 1
   * @param lrFactor the schedule's factor
   */
  void fillStep(Span stepBlock, long update, double lrFactor);
}
