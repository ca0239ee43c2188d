package dev.kindling.optim.rule;

import dev.kindling.kernels.graph.StepScalar;
import dev.kindling.kernels.memory.Span;

/** The values of one step block before they are rounded to fp32. */
record StepScalars(
    double learningRate,
    double biasCorrection1,
    double biasCorrection2,
    double clipNorm,
    long update) {

  StepScalars {
    if (update < 1) {
      throw new IllegalArgumentException("updates count from 1, found " + update);
    }
  }

  void write(Span stepBlock) {
    for (StepScalar scalar : StepScalar.values()) {
      stepBlock.putFloat(scalar.ordinal(), (float) value(scalar));
    }
  }

  private double value(StepScalar scalar) {
    return switch (scalar) {
      case LEARNING_RATE -> learningRate;
      case BIAS_CORRECTION1 -> biasCorrection1;
      case BIAS_CORRECTION2 -> biasCorrection2;
      case CLIP_NORM -> clipNorm;
      case STEP -> update;
    };
  }
}
