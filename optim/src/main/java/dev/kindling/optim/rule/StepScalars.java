package dev.kindling.optim.rule;

import dev.kindling.kernels.graph.StepScalar;
import dev.kindling.kernels.memory.Span;

/** Writes the values of one step block, each rounded to fp32 once, and leaves no garbage. */
final class StepScalars {
  private StepScalars() {}

  /**
   * @param update number of the update, from 1
   */
  static void write(
      Span block,
      double learningRate,
      double biasCorrection1,
      double biasCorrection2,
      double clipNorm,
      long update) {
    if (update < 1) {
      throw new IllegalArgumentException("updates count from 1, found " + update);
    }
    put(block, StepScalar.LEARNING_RATE, learningRate);
    put(block, StepScalar.BIAS_CORRECTION1, biasCorrection1);
    put(block, StepScalar.BIAS_CORRECTION2, biasCorrection2);
    put(block, StepScalar.CLIP_NORM, clipNorm);
    put(block, StepScalar.STEP, update);
  }

  private static void put(Span block, StepScalar scalar, double value) {
    block.putFloat(scalar.ordinal(), (float) value);
  }
}
