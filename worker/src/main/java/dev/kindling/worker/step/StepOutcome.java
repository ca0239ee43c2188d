package dev.kindling.worker.step;

import java.util.Arrays;

/**
 * What a step tells the host, equal on all ranks. A program hands out one and the same object for
 * all its steps, which holds the outcome that was asked for last: a step leaves no garbage. Who
 * keeps one keeps a {@link #copy}.
 */
public final class StepOutcome {
  private static final int SCALARS = 5;

  private final float[] scalars;

  private StepOutcome(float[] scalars) {
    this.scalars = scalars;
  }

  /** Room for so many numbers: those below, then slopes along directions. */
  StepOutcome(int size) {
    this(new float[size]);
  }

  /**
   * An outcome of its own.
   *
   * @param lossSum sum of token losses over the global batch, nats
   * @param tokenCount tokens that counted
   * @param gradNorm L2 norm of the mean gradient before clipping
   * @param scale factor that the update multiplied the gradient with; 0 = the step was skipped
   * @param stopVotes ranks that wish to stop
   */
  public StepOutcome(
      float lossSum, float tokenCount, float gradNorm, float scale, float stopVotes) {
    this(new float[] {lossSum, tokenCount, gradNorm, scale, stopVotes});
  }

  /**
   * A zeroth-order one whose slopes the host found.
   *
   * @param slopes along its directions, all 0 in a step that was skipped
   */
  public StepOutcome(
      float lossSum, float tokenCount, float scale, float stopVotes, float[] slopes) {
    this(new float[SCALARS + slopes.length]);
    double squares = 0;
    for (int i = 0; i < slopes.length; i++) {
      squares += (double) slopes[i] * slopes[i];
      scalars[SCALARS + i] = slopes[i];
    }
    float norm = (float) Math.sqrt(squares / slopes.length);
    float[] first = {lossSum, tokenCount, norm, scale, stopVotes};
    System.arraycopy(first, 0, scalars, 0, SCALARS);
  }

  /** Copies a row of as many numbers as this holds, in the order of the constructor. */
  StepOutcome take(float[] rows, int row) {
    System.arraycopy(rows, row * scalars.length, scalars, 0, scalars.length);
    return this;
  }

  /** Sum of token losses over the global batch, nats. */
  public float lossSum() {
    return scalars[0];
  }

  /** Tokens that counted. */
  public float tokenCount() {
    return scalars[1];
  }

  /** L2 norm of the mean gradient before clipping. */
  public float gradNorm() {
    return scalars[2];
  }

  /** Factor that the update multiplied the gradient with; 0 = the step was skipped. */
  public float scale() {
    return scalars[3];
  }

  /** Ranks that wish to stop. */
  public float stopVotes() {
    return scalars[4];
  }

  /** Directions of a zeroth-order step, 0 of any other. */
  public int directions() {
    return scalars.length - SCALARS;
  }

  /** Slope of the mean loss along a direction; 0 in a step that was skipped. */
  public float projected(int direction) {
    return scalars[SCALARS + direction];
  }

  /** Mean loss in nats per token. */
  public float loss() {
    return (float) ((double) lossSum() / tokenCount());
  }

  /** The non-finite guard left weights and state as they were. */
  public boolean skipped() {
    return scale() == 0f;
  }

  /** One that no later step changes. */
  public StepOutcome copy() {
    return new StepOutcome(scalars.clone());
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof StepOutcome outcome && Arrays.equals(scalars, outcome.scalars);
  }

  @Override
  public int hashCode() {
    return Arrays.hashCode(scalars);
  }

  @Override
  public String toString() {
    return "loss sum, tokens, gradient norm, scale, stop votes " + Arrays.toString(scalars);
  }
}
