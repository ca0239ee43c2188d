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

  /** For two running averages that began at zero: what each holds of its sum of weights so far. */
  static void ofAverages(
      Span block, double learningRate, double beta1, double beta2, double clipNorm, long update) {
    double first = 1.0 - IntegerPower.of(beta1, update);
    double second = 1.0 - IntegerPower.of(beta2, update);
    write(block, learningRate, first, second, clipNorm, update);
  }

  private static void put(Span block, StepScalar scalar, double value) {
    block.putFloat(scalar.ordinal(), (float) value);
  }
}
